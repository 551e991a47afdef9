use super::*;

/// A sequence of evidence in words: `base 5`, `got 5..9`, `bad 9..12` (checksum), `odd 9..12` (checksum holds), `final 20`,
/// `lost 12..14 disk`, `lost 12.. recorder`, `later` (not the first boot), `cut` (the journal was never closed), `holed`
/// (a chunk of the journal cannot be read).
fn evidence(words: &str) -> Evidence {
    let mut evidence = Evidence { is_first: true, ..Evidence::default() };
    for item in words.split(", ").filter(|item| !item.is_empty()) {
        let mut parts = item.split(' ');
        let verb = parts.next().unwrap();
        let argument = parts.next().unwrap_or_default();
        let bounds = argument.split_once("..").map(|(from, to)| (from.parse::<u64>().ok(), to.parse::<u64>().ok()));
        let range = || bounds.map(|(from, to)| from.unwrap()..to.unwrap()).unwrap();
        match verb {
            "base" => evidence.baseline = Some(argument.parse().unwrap()),
            "final" => evidence.final_seq = Some(argument.parse().unwrap()),
            "got" => evidence.received.insert(&range()),
            "bad" => evidence.corrupt.push(Corrupt { rows: range(), is_trusted: false }),
            "odd" => evidence.corrupt.push(Corrupt { rows: range(), is_trusted: true }),
            "later" => evidence.is_first = false,
            "cut" => evidence.is_cut_off = true,
            "holed" => evidence.is_damaged = true,
            "lost" => {
                let cause = parts.next().unwrap();
                let cause = LossCause::ALL.into_iter().find(|known| known.as_str() == cause).unwrap();
                let (from_seq, to_seq) = bounds.unwrap();
                evidence.lost.push(Lost { from_seq, to_seq, cause, detected_by: DetectedBy::Queue });
            }
            other => panic!("unknown word {other}"),
        }
    }
    evidence
}

#[track_caller]
fn check(words: &str, expect: &str) {
    let evidence = evidence(words);
    let account = account(&evidence);
    let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    let rows: Vec<String> = account
        .lost
        .iter()
        .map(|l| format!("{}..{} {} {}", number(l.from_seq), number(l.to_seq), l.cause.as_str(), l.detected_by.as_str()))
        .collect();
    assert_eq!(format!("{}: {}", number(account.expected), rows.join(", ")), expect, "for {words}");
    if let Some(expected) = account.expected {
        let lost: u64 = account.lost.iter().map(|l| l.to_seq.unwrap() - l.from_seq.unwrap()).sum();
        assert_eq!(expected, evidence.received.count() + lost, "for {words}");
    }
}

#[test]
fn nothing_is_lost() {
    check("base 0, got 0..10, final 10", "10: ");
    check("base 5, got 5..10, got 10..20, final 20", "15: ");
    check("got 100..110", "10: ");
    check("later, got 0..10", "10: ");
    check("base 7, final 7", "0: ");
    check("final 0", "0: ");
}

#[test]
fn gaps_and_tails_are_the_networks_unless_somebody_knows_better() {
    check("base 0, got 0..10, got 20..30, final 30", "30: 10..20 network gap");
    check("base 0, got 0..10, final 15", "15: 10..15 network final_count");
    check("base 5, got 8..10, final 10", "5: 5..8 network gap");
    check("later, got 3..10, final 10", "10: 0..3 network gap");
    check("base 0, final 9", "9: 0..9 network final_count");
    check(
        "base 0, got 0..10, got 20..30, final 30, lost 12..15 recorder",
        "30: 10..12 network gap, 12..15 recorder queue, 15..20 network gap",
    );
    check("base 0, got 0..10, lost 10..15 disk", "15: 10..15 disk queue");
    check("base 0, got 0..10, got 12..14, lost 8..14 recorder, final 14", "14: 10..12 recorder queue");
    check(
        "base 0, got 0..10, lost 12..15 network, final 20",
        "20: 10..12 network final_count, 12..15 network queue, 15..20 network final_count",
    );
    check("got 10..20, lost 5..8 recorder", "15: 5..8 recorder queue, 8..10 network gap");
}

#[test]
fn rows_from_before_the_journal_are_counted_only_when_they_came() {
    check("base 10, got 4..6, got 10..20, final 20", "12: ");
    check("base 10, got 9..12, final 12, lost 0..10 recorder", "3: ");
}

#[test]
fn corrupt_samples_explain_their_own_gap() {
    check("base 0, got 0..10, bad 10..20, got 20..30, final 30", "30: 10..20 corrupt checksum");
    check("base 0, got 0..10, odd 10..20", "20: 10..20 corrupt checksum");
    check("base 0, got 0..10, bad 10..20", "20: 10..20 corrupt checksum");
    // A claim that a broken header makes and that fits nowhere is not believed.
    check("base 0, got 0..10, bad 500..600", "10: ");
    check("got 10..20, bad 0..10", "20: 0..10 corrupt checksum");
    // The rows came again whole.
    check("base 0, got 0..30, bad 10..20, final 30", "30: ");
    check("base 0, got 0..10, bad 10..20, lost 10..25 disk, final 25", "25: 10..20 corrupt checksum, 20..25 disk queue");
    // In whatever order claims came that fit one behind the other.
    check("got 20..30, bad 0..10, bad 10..20", "30: 0..20 corrupt checksum");
    check("base 0, got 0..10, bad 20..30, bad 10..20", "30: 10..30 corrupt checksum");
}

#[test]
fn an_open_end_is_never_called_complete() {
    check("base 0, got 0..10, cut", ": 10.. recorder repair");
    check("base 0, got 0..5, got 7..10, cut", ": 5..7 network gap, 10.. recorder repair");
    check("base 0, got 0..10, cut, final 12", "12: 10..12 network final_count");
    check("base 0, got 0..10, lost 10.. disk", ": 10.. disk queue");
    check("base 0, got 0..10, lost 10.. disk, final 14", "14: 10..14 disk queue");
    check("base 0, got 0..10, holed", ": 10.. unknown repair");
    check("base 0, got 0..10, holed, final 12", "12: 10..12 unknown final_count");
    check("holed", ": .. unknown repair");
    check("final 40", ": ..40 network final_count");
    check("cut", ": .. recorder repair");
    check("", ": ");
    check("bad 0..5", ": .. corrupt checksum");
}

/// Whether front and tail are unverified.
#[track_caller]
fn ends(words: &str, expect: [bool; 2]) {
    let account = account(&evidence(words));
    assert_eq!([account.front_unverified, account.tail_unverified], expect, "for {words}");
}

#[test]
fn an_end_is_verified_by_who_counted_it() {
    ends("base 5, got 5..10, final 10", [false, false]);
    ends("got 5..10, final 10", [true, false]);
    ends("got 0..10, final 10", [false, false]);
    ends("later, got 5..10, final 10", [false, false]);
    ends("base 5, got 5..10", [false, true]);
    ends("base 5, got 5..10, cut", [false, false]);
    ends("", [true, true]);
    ends("final 0", [false, false]);
}
