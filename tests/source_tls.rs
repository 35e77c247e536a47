//! The source and TLS: whom it trusts, and what it says of the wrong kind of port.

mod support;

use amr_top::config::{Settings, Tls};
use amr_top::demo::server::Server;
use amr_top::model::FailureKind;
use support::certs::Certs;
use support::{Watch, first_failure, is_answer, settings};

fn server(certs: &Certs, clients: &str) -> Server {
    let args = certs.server_args(clients);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Server::start(&args).unwrap_or_else(|error| panic!("{error}"))
}

fn over(server: &Server, tls: Tls) -> Settings {
    Settings {
        tls: Some(tls),
        ..settings(server.port())
    }
}

async fn answers(settings: Settings) {
    let mut watch = Watch::start(settings);
    let first = watch.next().await;
    assert!(is_answer(&first), "{first:?}");
}

#[tokio::test]
async fn only_the_given_authority_is_trusted() {
    let certs = Certs::new(&["127.0.0.1"]);
    let others = Certs::new(&["127.0.0.1"]);
    let server = server(&certs, "no");
    let with = |ca| Tls {
        ca,
        ..Tls::default()
    };
    answers(over(&server, with(Some(certs.file("ca.pem"))))).await;
    for ca in [Some(others.file("ca.pem")), None] {
        let failure = first_failure(over(&server, with(ca)), FailureKind::Tls).await;
        assert!(failure.detail.contains("certificate"), "{failure:?}");
    }
    answers(over(
        &server,
        Tls {
            insecure: true,
            ..Tls::default()
        },
    ))
    .await;
}

#[tokio::test]
async fn the_name_in_the_certificate_may_be_another() {
    let certs = Certs::new(&["cache.example"]);
    let server = server(&certs, "no");
    let with = |sni: Option<&str>| Tls {
        ca: Some(certs.file("ca.pem")),
        sni: sni.map(str::to_owned),
        ..Tls::default()
    };
    let failure = first_failure(over(&server, with(None)), FailureKind::Tls).await;
    assert!(failure.detail.contains("127.0.0.1"), "{failure:?}");
    answers(over(&server, with(Some("cache.example")))).await;
    first_failure(over(&server, with(Some("other.example"))), FailureKind::Tls).await;
    let failure = first_failure(over(&server, with(Some("no name"))), FailureKind::Tls).await;
    assert!(failure.detail.contains("'no name'"), "{failure:?}");
}

#[tokio::test]
async fn a_server_may_want_our_certificate() {
    let certs = Certs::new(&["127.0.0.1"]);
    let server = server(&certs, "yes");
    let with = |cert: Option<&str>, key: Option<&str>| Tls {
        ca: Some(certs.file("ca.pem")),
        cert: cert.map(|name| certs.file(name)),
        key: key.map(|name| certs.file(name)),
        ..Tls::default()
    };
    answers(over(&server, with(Some("cert.pem"), Some("key.pem")))).await;
    let failure = first_failure(over(&server, with(None, None)), FailureKind::Tls).await;
    assert!(
        failure.detail.contains("CertificateRequired"),
        "{failure:?}"
    );
    let half = first_failure(
        over(&server, with(Some("cert.pem"), None)),
        FailureKind::Tls,
    )
    .await;
    assert!(half.detail.contains("--key"), "{half:?}");
}

#[tokio::test]
async fn files_that_are_no_certificates_are_refused() {
    let certs = Certs::new(&["127.0.0.1"]);
    for (file, words) in [
        ("empty.pem", "no usable certificate"),
        ("none.pem", "cannot read"),
    ] {
        let settings = Settings {
            tls: Some(Tls {
                ca: Some(certs.file(file)),
                ..Tls::default()
            }),
            ..settings(1)
        };
        let failure = first_failure(settings, FailureKind::Tls).await;
        assert!(failure.detail.contains(words), "{failure:?}");
    }
}

#[tokio::test]
async fn plain_text_to_a_tls_port() {
    let certs = Certs::new(&["127.0.0.1"]);
    let server = server(&certs, "no");
    first_failure(settings(server.port()), FailureKind::TlsExpected).await;
}

#[tokio::test]
async fn tls_to_a_plain_text_port() {
    let server = Server::start(&[]).unwrap_or_else(|error| panic!("{error}"));
    first_failure(over(&server, Tls::default()), FailureKind::PlainExpected).await;
}
