//! Durable holds in one process: engine, journal, disk.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use tiketi_benches::durable::{Durable, EVENTS, run};
use tiketi_benches::table::{Table, count, median};
use tiketi_benches::{NOW, Setup, made};
use tiketi_engine::command::{Asked, WantedSeats};
use tiketi_engine::ids::{EventIndex, SeatIndex};
use tiketi_persistence::StoreKind;

pub(crate) fn two_threads(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let mut durable = Durable::new(setup, StoreKind::Sled, EVENTS)?;
    let done = run(&mut durable, setup.seconds)?;
    let bare = bare_batches_per_second(&setup.dir)?;
    table.row(
        format!("durable holds in one process, two threads, sled, synced, {} s", setup.seconds),
        format!(
            "{}/s, ack p50 {:.1} ms, p99 {:.1} ms",
            count(done.holds_per_second),
            done.acks.value_at_quantile(0.5) as f64 / 1e3,
            done.acks.value_at_quantile(0.99) as f64 / 1e3,
        ),
        format!(
            "{:.0} batches/s; a bare append + fdatasync of 64 KiB: {bare:.0}/s",
            done.batches_per_second
        ),
        "≥ 3 M/s, p99 ≤ 10 ms",
    );
    Ok(())
}

fn bare_batches_per_second(dir: &Path) -> anyhow::Result<f64> {
    let times = bare_appends(dir, 64 * 1024, 500)?;
    Ok(times.len() as f64 / times.iter().sum::<f64>())
}

/// Seconds for each append of so many bytes with `fdatasync`.
fn bare_appends(dir: &Path, bytes: usize, appends: usize) -> anyhow::Result<Vec<f64>> {
    let mut file = tempfile::tempfile_in(dir)?;
    let block = vec![0x5a; bytes];
    (0..appends).map(|_| bare_append(&mut file, &block)).collect()
}

fn bare_append(file: &mut File, block: &[u8]) -> anyhow::Result<f64> {
    let started = Instant::now();
    file.write_all(block)?;
    file.sync_data()?;
    Ok(started.elapsed().as_secs_f64())
}

pub(crate) fn lone_hold(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const HOLDS: u32 = 2_000;
    let durable = Durable::new(setup, StoreKind::Sled, 1)?;
    let asked = Asked { by: durable.users[0], at: NOW, key: None };
    let mut file = tempfile::tempfile_in(&setup.dir)?;
    let block = vec![0x5a; 4096];
    let (mut holds, mut bares) = (Vec::new(), Vec::new());
    for seat in 0..HOLDS {
        let wanted = WantedSeats::new(&[SeatIndex(seat)])?;
        let started = Instant::now();
        let (_, lsn) = made(durable.engine.hold_seats(EventIndex(0), &wanted, asked))?;
        durable.engine.journal().durable().wait_blocking(lsn)?;
        holds.push(started.elapsed().as_secs_f64() * 1e6);
        bares.push(bare_append(&mut file, &block)? * 1e6);
    }
    let (hold, bare) = (median(&mut holds), median(&mut bares));
    table.row(
        "a lone durable hold, nothing else running, with the mark",
        format!("{:.2} × the bare write ({hold:.0} µs)", hold / bare),
        format!("write + fdatasync of 4 KiB, alternating: {bare:.0} µs"),
        "≤ 4 ×",
    );
    Ok(())
}

pub(crate) fn stores(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let seconds = setup.seconds.div_ceil(2);
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        for (rates, store) in rates.iter_mut().zip([StoreKind::Sled, StoreKind::Segments]) {
            let mut durable = Durable::new(setup, store, EVENTS)?;
            rates.push(run(&mut durable, seconds)?.holds_per_second);
        }
    }
    let [sled, segments] = rates.map(|mut rates| median(&mut rates));
    table.row(
        "sled beside the segment store, same batches",
        format!("sled {}/s, segments {}/s", count(sled), count(segments)),
        format!("sled = {:.2} × segments", sled / segments),
        "both, with the ratio",
    );
    Ok(())
}
