use tiketi_engine::ids::{Epoch, Lsn, UnixMillis};
use tiketi_engine::journal::{Journal, Purpose};
use tiketi_persistence::*;

use crate::common::record;

#[test]
fn smoke() {
    for store in [StoreKind::Sled, StoreKind::Segments] {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::new(dir.path().join("data"));
        options.store = store;
        options.ballast_bytes = 0;
        for round in 1..=3_u64 {
            let opened = open(&options, UnixMillis(round)).unwrap();
            assert_eq!(opened.state.epoch(), Epoch(round));
            assert_eq!(opened.report.recovered_lsn, Lsn((round - 1) * 101));
            let view = View::start(opened.state, &opened.commits, FatalHook::default());
            let mut lsn = Lsn(0);
            for i in 0..100 {
                let permit = opened.journal.reserve(Purpose::NewWork).unwrap();
                lsn = opened.journal.append(permit, &record((round - 1) * 100 + i));
            }
            opened.journal.durable().wait_blocking(lsn).unwrap();
            view.applied().wait_blocking(lsn).unwrap();
            assert_eq!(view.read(|state| state.lsn()), lsn);
            opened.journal.close().unwrap();
            view.join();
        }
        let reader = LogReader::open(&options.dir).unwrap();
        assert!(reader.verify().unwrap().refusal.is_none());
        assert_eq!(reader.records().count(), 303);
    }
}
