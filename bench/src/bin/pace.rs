//! Records so many operations a second for so many seconds, evenly: `pace DATA A_SECOND SECONDS`. It prints how many it
//! recorded, and how many a second.

use milepost_record::{Event, Operation, Outcome, Recorder, Timestamp};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often what is due by now is recorded.
const TICK: Duration = Duration::from_millis(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [data, a_second, seconds] = &args[..] else { return Err("usage: pace DATA A_SECOND SECONDS".into()) };
    let (a_second, seconds): (f64, f64) = (a_second.parse()?, seconds.parse()?);
    let recorder = Recorder::open(data)?;
    let (began, mut recorded) = (Instant::now(), 0_u64);
    while began.elapsed().as_secs_f64() < seconds {
        let due = (began.elapsed().as_secs_f64().min(seconds) * a_second) as u64;
        while recorded < due {
            let mut operation = Operation::new("search", Outcome::Ok);
            operation.duration_us = Some(20_000 + recorded * 7919 % 400_000);
            recorder.record(Event::at(Timestamp::now(), operation))?;
            recorded += 1;
        }
        thread::sleep(TICK);
    }
    println!("{recorded} {:.1}", recorded as f64 / began.elapsed().as_secs_f64());
    Ok(())
}
