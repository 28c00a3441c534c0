//! Disks that are full, files that may not grow, and folders that are read only.

use crate::{
    boundaries::{fresh, grown},
    place::{Ended, Place, copy, run, under},
    plan::{Kind, Random, Strike},
    tally::Row,
};
use std::{path::PathBuf, process::Command, sync::Arc};

const PAGE: u64 = 4096;

/// A file system in memory, mounted for as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    fn on(folder: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&folder).expect("a folder");
        let is_mounted = run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs"]).arg(&folder)).is_success();
        is_mounted.then_some(Self(folder))
    }

    fn again(&self, options: &str) -> bool {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0)).is_success()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

pub fn kinds(_: &dyn Fn(&str) -> bool, _: bool) -> Vec<Kind> {
    let probe = Place::new();
    let can_mount = Mounted::on(probe.path("probe")).is_some_and(|mounted| mounted.again("size=1m"));
    let one = |strike: fn(u64) -> Row| -> Vec<(String, Strike)> { vec![("drawn".to_owned(), Arc::new(strike))] };
    let mut kinds = vec![Kind { name: "files that may not grow (ulimit)", sample: 4, weight: 15, is_a_list: false, strikes: one(limited) }];
    if can_mount {
        kinds.push(Kind { name: "a full disk (tmpfs)", sample: 2, weight: 15, is_a_list: false, strikes: one(full) });
        kinds.push(Kind { name: "a read-only folder (tmpfs)", sample: 1, weight: 3, is_a_list: false, strikes: one(read_only) });
    } else {
        println!("no disk is full and no folder read only, as nothing may be mounted here");
    }
    kinds
}

/// What a user does meanwhile: each kind of process once. Half of the time, in tables that are there.
fn all_doors(place: &mut Place, outer: &[&str], row: &mut Row) -> Vec<Ended> {
    let mut ended = Vec::new();
    for writer in ["f1", "f2"] {
        let command = place.writer(writer, 0, 12);
        ended.push(place.write(&mut within(outer, command), writer, row));
    }
    let record = place.milepost(&["record", "operation", "--operation", "faults", "--outcome", "ok", "--id", "f3-0"]);
    place.begun.insert("f3-0".to_owned());
    ended.push(run(&mut within(outer, record)));
    if ended.last().is_some_and(Ended::is_success) {
        place.acknowledged.insert("f3-0".to_owned());
    }
    for command in [place.compaction(), place.milepost(&["track", "--all"]), place.milepost(&["status"]), place.milepost(&["export"])] {
        ended.push(run(&mut within(outer, command)));
    }
    ended.iter().for_each(|ended| ended.judge(row));
    ended
}

fn within(outer: &[&str], command: Command) -> Command {
    if outer.is_empty() { command } else { under(outer, &command) }
}

fn either(random: &mut Random) -> Arc<Place> {
    if random.below(2) == 0 { fresh() } else { grown() }
}

fn limited(seed: u64) -> Row {
    let mut random = Random::new(seed);
    let mut place = either(&mut random).copy();
    let mut row = Row { faults: 1, ..Row::default() };
    // Blocks of 512 bytes: from nothing at all to what only a page of HTML is longer than.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", random.below(40));
    all_doors(&mut place, &["sh", "-c", &script, "sh"], &mut row);
    place.settle(&mut row);
    row
}

fn full(seed: u64) -> Row {
    let mut random = Random::new(seed);
    let before = either(&mut random);
    let mut place = before.copy();
    std::fs::remove_dir_all(place.data()).expect("removed");
    let mut row = Row { faults: 1, ..Row::default() };
    let Some(disk) = Mounted::on(place.data()) else { panic!("nothing can be mounted any more") };
    copy(&before.data(), &place.data());
    let used: u64 = place.files("").iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len()).div_ceil(PAGE) * PAGE).sum();
    if !disk.again(&format!("size={}", used + random.below(30) * PAGE)) {
        row.wrong("the disk cannot be made small");
    }
    all_doors(&mut place, &[], &mut row);
    if !disk.again("size=64m,mode=0700") {
        row.wrong("the disk cannot be made large");
    }
    place.settle(&mut row);
    row
}

fn read_only(seed: u64) -> Row {
    let before = either(&mut Random::new(seed));
    let mut place = before.copy();
    std::fs::remove_dir_all(place.data()).expect("removed");
    let mut row = Row { faults: 1, ..Row::default() };
    let Some(disk) = Mounted::on(place.data()) else { panic!("nothing can be mounted any more") };
    copy(&before.data(), &place.data());
    if !disk.again("ro") {
        row.wrong("the folder cannot be made read only");
    }
    let ended = all_doors(&mut place, &[], &mut row);
    // The last two only read.
    for ended in ended.iter().rev().take(2).filter(|ended| !matches!(ended.status.and_then(|s| s.code()), Some(0..=3))) {
        row.wrong(format!("nothing can be read in a read-only folder: {}", ended.stderr));
    }
    if !disk.again("rw") {
        row.wrong("the folder cannot be written any more");
    }
    place.settle(&mut row);
    row
}
