//! What is built stands in the list.

use super::*;

fn words(command: &Cmd) -> String {
    String::from_utf8_lossy(&command.get_packed_command()).into_owned()
}

#[test]
fn the_default_user_is_authenticated_in_the_way_that_old_servers_know() {
    let with = |user: Option<&str>| {
        auth(&Auth {
            user: user.map(str::to_owned),
            password: Some("p".to_owned()),
        })
        .map(|command| words(&command))
    };
    assert_eq!(
        with(None).as_deref(),
        Some("*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n")
    );
    assert_eq!(with(Some("default")), with(None));
    assert_eq!(
        with(Some("ann")).as_deref(),
        Some("*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$1\r\np\r\n")
    );
    assert_eq!(auth(&Auth::default()).map(|c| words(&c)), None);
}

#[test]
fn what_is_built_stands_in_the_list() {
    let single = [
        info_sections(),
        info_all(),
        slow_log(FEW),
        slow_log(crate::model::SLOW_LOG),
        large_requests(),
        clients(),
        denied(),
        cluster_nodes(),
        cluster_shards(),
        cluster_slots(),
        sentinel_primary("<name>"),
        sentinel_replicas("<name>"),
        sentinel_slaves("<name>"),
        sentinel_news(),
        monitor(),
        tripwire(),
        published(),
        subscribe(&channel("<db>", "<event>")),
        tracking(),
        tracking_prefix("<prefix>"),
        scan(b"<cursor>"),
    ];
    let (parts, keys) = (info_parts(), look(&[b"<key>"], true));
    let several = parts.cmd_iter().chain(keys.cmd_iter());
    for command in single.iter().chain(several) {
        let line: Vec<String> = command
            .args_iter()
            .map(|arg| match arg {
                redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => String::new(),
            })
            .collect();
        let line = line.join(" ").to_ascii_lowercase();
        let whole = |entry: &Entry| {
            let name = entry.name.replace('|', " ");
            format!("{name} {}", entry.arguments).trim_end().to_owned()
        };
        assert!(
            ALL.iter().any(|entry| whole(entry) == line),
            "not in the list: {line:?}"
        );
    }
}
