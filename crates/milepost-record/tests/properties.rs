//! What holds for every event and for every line, whatever is in it.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use milepost_record::{
    Durability, ErrorDetail, Event, Fact, Interaction, Label, Measure, Measurement, Memory, Note, Operation, Origin, Outcome,
    ProcessMemory, Scalar, Session, Spool, Timestamp, Topic, limits,
};
use proptest::{collection::btree_map, option, prelude::*, sample::select};

fn name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("a name says something", |name| !name.is_empty())
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_000_000_i64).prop_map(|us| Timestamp::from_microseconds(us).expect("before the year 9999"))
}

fn number() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("finite", |number| number.is_finite())
}

fn scalar() -> impl Strategy<Value = Scalar> {
    // A whole number without a decimal point is read as an integer, so other numbers keep a fraction.
    let fraction = number().prop_filter("not whole", |n| n.fract() != 0.0).prop_map(Scalar::Number);
    prop_oneof![
        any::<bool>().prop_map(Scalar::Boolean),
        any::<i64>().prop_map(Scalar::Integer),
        fraction,
        any::<String>().prop_map(Scalar::Text)
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let operation = (
        name(),
        select(Outcome::ALL),
        option::of(name()),
        option::of(0..=limits::DURATION_US_MAX),
        option::of(any::<i64>()),
        option::of((name(), option::of(any::<String>()))),
        option::of((0..=limits::MEMORY_BYTES_MAX, select(Measure::ALL))),
        option::of(any::<bool>()),
    )
        .prop_map(|(name, outcome, backend, duration_us, exit_code, error, peak, dry_run)| {
            let mut fact = Operation::new(name, outcome);
            (fact.backend, fact.duration_us, fact.exit_code, fact.dry_run) = (backend, duration_us, exit_code, dry_run);
            fact.error = error.map(|(category, text)| ErrorDetail { category, text });
            (fact.peak_bytes, fact.peak_measure) = peak.unzip();
            fact.into()
        });
    let id = || option::of(0..=limits::COUNT_MAX);
    let process = (any::<[char; 16]>(), 0..=limits::MEMORY_BYTES_MAX, id(), id()).prop_map(|(name, bytes, pid, parent)| ProcessMemory {
        name: name.into_iter().collect(),
        bytes,
        pid,
        parent,
    });
    let tree = option::of(proptest::collection::vec(process, 0..=limits::TREE_PROCESSES_MAX));
    let memory = (name(), 0..=limits::MEMORY_BYTES_MAX, select(Measure::ALL), any::<bool>(), id(), tree).prop_map(
        |(run, bytes, measure, complete, pid, tree)| {
            let mut fact = Memory::new(run, bytes, measure, complete);
            (fact.pid, fact.tree) = (pid, tree);
            fact.into()
        },
    );
    let interaction = (option::of(name()), option::of(name()), option::of(0..=limits::COUNT_MAX), option::of(any::<String>()))
        .prop_map(|(recognized, correct, index, text)| Interaction { recognized, correct, index, text, ..Interaction::new() }.into());
    let measurement = (name(), number(), option::of(name())).prop_map(|(name, value, unit)| {
        let mut fact = Measurement::new(name, value);
        fact.unit = unit;
        fact.into()
    });
    let note = (select(Topic::ALL), option::of(any::<String>()), option::of(number()), option::of(time())).prop_map(
        |(topic, text, score, from)| {
            let mut fact = Note::new(topic);
            (fact.text, fact.score, fact.from) = (text, score, from);
            if topic == Topic::Sample {
                (fact.sample, fact.operation, fact.size) = (Some("s-1".to_owned()), Some("search".to_owned()), Some(200));
            }
            if topic == Topic::Exclude {
                (fact.to, fact.undoes) = (fact.from, fact.from.is_none().then(|| "n-1".to_owned()));
            }
            fact.into()
        },
    );
    let label = (name(), name()).prop_map(|(of, correct)| Label::new(of, correct).into());
    prop_oneof![operation, memory, interaction, measurement, note, label, Just(Session::new().into())]
}

fn event() -> impl Strategy<Value = Event> {
    let context = (option::of(name()), option::of(select(Origin::ALL)), option::of(name()), name(), btree_map(name(), scalar(), 0..4));
    (time(), fact(), context).prop_map(|(at, fact, (id, origin, user, session, attributes))| {
        let mut event = Event::at(at, fact);
        (event.id, event.origin, event.user, event.session, event.attributes) = (id, origin, user, Some(session), attributes);
        event
    })
}

proptest! {
    // What fails is printed whole, so nothing has to be written beside the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_is_read_back_as_it_was_written(event in event()) {
        let line = event.to_json().expect("a line");
        prop_assert!(!line.contains('\n'), "a line is one line: {line}");
        prop_assert_eq!(Event::from_json(&line).expect("an event"), event);
    }

    #[test]
    fn no_line_makes_the_reader_panic(line in any::<String>()) {
        let _ = Event::from_json(&line);
    }

    #[test]
    fn no_damage_to_a_line_makes_the_reader_panic(event in event(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let line: Vec<char> = event.to_json().expect("a line").chars().collect();
        let at = at.index(line.len());
        let damaged: String = line.iter().enumerate().map(|(index, c)| if index == at { with } else { *c }).collect();
        let _ = Event::from_json(&damaged);
    }

    #[test]
    fn times_are_read_back(us in 0..250_000_000_000_000_000_i64) {
        let at = Timestamp::from_microseconds(us).expect("a time");
        prop_assert_eq!(at.to_string().parse::<Timestamp>(), Ok(at));
    }
}

proptest! {
    // Each case makes a spool and flushes it to the disk several times.
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn events_come_back_from_the_spool_in_their_order(events in proptest::collection::vec(event(), 1..20), seals in any::<u32>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::open(folder.path()).expect("a spool");
        for (index, event) in events.iter().enumerate() {
            spool.append(event, Durability::Written).expect("appended");
            if seals & (1 << index) != 0 {
                spool.seal().expect("sealed");
            }
        }
        let now = Timestamp::from_microseconds(5_000_000_000_000_000).expect("a time");
        let segments = spool.segments().expect("segments");
        let read: Vec<Event> = segments.iter().flat_map(|s| s.events(now).collect::<Vec<_>>()).map(|e| e.expect("an event")).collect();
        prop_assert_eq!(read, events);
    }
}
