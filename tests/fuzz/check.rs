//! What must hold whatever was said.

use amr_top::diagnosis::{Diagnosis, Known, Level, State, Verdict, Way, diagnose};
use amr_top::model::{Counter, History};
use amr_top::report::{Format, Report, Style};

pub(crate) fn check(history: &History) {
    let window = history.window();
    let diagnosis = diagnose(&window);
    check_diagnosis(&diagnosis);
    check_balance(&diagnosis);
    for counter in Counter::ALL {
        let rate = window.rate(counter).unwrap_or(0.0);
        assert!(rate >= 0.0 && rate.is_finite(), "{counter:?}: {rate}");
    }
    check_report(&Report::of_one(&window, &diagnosis, &[]));
}

/// What holds of every diagnosis, of one node or of many.
pub(crate) fn check_diagnosis(diagnosis: &Diagnosis) {
    check_claims(diagnosis);
    check_parts(diagnosis);
    check_incidents(diagnosis);
}

/// A report in all its forms holds nothing that steers a terminal.
pub(crate) fn check_report(report: &Report<'_>) {
    for format in Format::ALL {
        let text = report.render(format, Style::default());
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!text.chars().any(steers), "{text:?}");
    }
}

fn check_claims(diagnosis: &Diagnosis) {
    for verdict in &diagnosis.verdicts {
        let claims = verdict.is_loss() || verdict.level == Level::AtRisk;
        assert!(!claims || !verdict.evidence.is_empty(), "{verdict:#?}");
        let most = verdict.at_most.unwrap_or(u64::MAX);
        assert!(verdict.keys_lost.unwrap_or(0) <= most, "{verdict:#?}");
        if let Some(mechanism) = verdict.mechanism {
            assert_eq!(mechanism.cause(), verdict.cause, "{verdict:#?}");
        }
    }
    if let Some(top) = diagnosis.top_cause {
        assert!(diagnosis.of(top).is_some_and(Verdict::is_loss));
    }
}

fn check_parts(diagnosis: &Diagnosis) {
    let ledger = &diagnosis.ledger;
    for part in &ledger.parts {
        assert!(part.keys <= part.most.unwrap_or(u64::MAX), "{part:?}");
        assert_eq!(
            part.known == Known::Exact,
            part.most == Some(part.keys),
            "{part:?}"
        );
        assert!(part.known != Known::Unknown || part.keys == 0, "{part:?}");
    }
}

/// Sums that a hostile server drives to the end of a number stay there; below, they are exact. So they
/// are of one node: of several, some come late and some leave.
pub(crate) fn check_balance(diagnosis: &Diagnosis) {
    let ledger = &diagnosis.ledger;
    let all = || ledger.parts.iter().map(|part| u128::from(part.keys));
    let (Some(before), Some(after)) = (ledger.keys_before, ledger.keys_after) else {
        return;
    };
    if all()
        .chain([before.into(), after.into()])
        .all(|n| n < 1 << 60)
    {
        let created = u128::from(ledger.keys(Way::Created));
        let removed: u128 = all().sum::<u128>() - created;
        assert_eq!(
            u128::from(before) + created,
            u128::from(after) + removed,
            "{ledger:#?}"
        );
    }
}

fn check_incidents(diagnosis: &Diagnosis) {
    let mut going_on = diagnosis
        .incidents
        .iter()
        .map(|incident| incident.state == State::GoingOn);
    let last = going_on.next_back();
    assert!(last.is_none() || !going_on.any(|going_on| going_on));
    for incident in &diagnosis.incidents {
        assert!(!incident.shares.is_empty(), "{incident:#?}");
        let keys = incident
            .shares
            .iter()
            .fold(0u64, |sum, share| sum.saturating_add(share.keys));
        assert_eq!(keys, incident.keys, "{incident:#?}");
        let shares: f64 = incident.shares.iter().map(|share| share.share).sum();
        assert!(incident.keys == 0 || (shares - 1.0).abs() < 1e-6 || keys == u64::MAX);
    }
}
