//! What a poller tells besides polls, as lines of a recording.

use std::time::Duration;

use amr_top::model::{Class, Moment, Observation, SlowEntry};
use jiff::Timestamp;

use super::number;

const CLASSES: [Class; 8] = [
    Class::Flush,
    Class::Delete,
    Class::Empty,
    Class::Expire,
    Class::Move,
    Class::Overwrite,
    Class::Script,
    Class::Admin,
];

/// A line that begins with `*`, and the lines that belong to it.
pub(super) fn encode(observation: &Observation, head: &str) -> String {
    match observation {
        Observation::Emptied { .. } => format!("\n* {head} emptied"),
        Observation::Tripwire { stands: Ok(()), .. } => format!("\n* {head} tripwire"),
        Observation::Tripwire {
            stands: Err(why), ..
        } => format!("\n* {head} tripwire {why}"),
        Observation::SlowLog { log: Err(why), .. } => format!("\n* {head} slowlog {why}"),
        Observation::SlowLog {
            log: Ok(entries), ..
        } => {
            let lines: Vec<String> = entries.iter().map(entry_line).collect();
            format!("\n* {head} slowlog{}", lines.concat())
        }
        _ => String::new(),
    }
}

fn entry_line(entry: &SlowEntry) -> String {
    let classes: Vec<String> = entry.classes.iter().map(|c| format!("{c:?}")).collect();
    let fields = [
        entry.id.to_string(),
        entry.at.as_second().to_string(),
        entry.took.as_micros().to_string(),
        entry.arguments.to_string(),
        classes.join(","),
        entry.address.clone().unwrap_or_default(),
        entry.name.clone().unwrap_or_default(),
        entry.command.clone(),
    ];
    format!("\n~{}", fields.join("\t"))
}

/// The observation of a line that begins with `*`.
pub(super) fn decode(moment: Moment, what: &str, why: Option<&str>) -> Result<Observation, String> {
    let why = why.map(str::to_owned);
    match what {
        "emptied" => Ok(Observation::Emptied { moment }),
        "tripwire" => Ok(Observation::Tripwire {
            moment,
            stands: why.map_or(Ok(()), Err),
        }),
        "slowlog" => Ok(Observation::SlowLog {
            moment,
            log: why.map_or(Ok(Vec::new()), Err),
        }),
        other => Err(format!("'{other}' is not known")),
    }
}

/// Adds an entry to the slow log that was just read.
pub(super) fn add_entry(told: &mut [Observation], line: &str) -> Result<(), String> {
    let Some(Observation::SlowLog {
        log: Ok(entries), ..
    }) = told.last_mut()
    else {
        return Err(format!("no slow log for '{line}'"));
    };
    let fields: Vec<&str> = line.split('\t').collect();
    let [id, at, took, arguments, classes, address, name, command] = fields[..] else {
        return Err(format!("'{line}' is no entry"));
    };
    let class = |name: &str| CLASSES.into_iter().find(|c| format!("{c:?}") == name);
    let at = i64::try_from(number(at)?).map_err(|error| error.to_string())?;
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    entries.push(SlowEntry {
        id: number(id)?,
        at: Timestamp::from_second(at).map_err(|error| error.to_string())?,
        took: Duration::from_micros(number(took)?),
        bytes: None,
        command: command.to_owned(),
        address: known(address),
        name: known(name),
        classes: classes.split(',').filter_map(class).collect(),
        arguments: usize::try_from(number(arguments)?).map_err(|error| error.to_string())?,
    });
    Ok(())
}
