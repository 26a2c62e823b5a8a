//! How slow start ends (RFC 9406; Linux `hystart_update`).

use mptcpsim_models::congestion::Name;
use mptcpsim_models::observe::mib::Counter;

use crate::lab::{CLIENT, Lab, path};

/// HyStart ends slow start before the queue is full, once, and is counted with the window it leaves.
#[test]
fn hystart_is_counted_where_it_ends_slow_start() {
    let upload = |name| Lab::upload(vec![path(20, 20)], 2_000_000).congestion(name).run(30);
    let counts = |name| {
        use Counter::{HystartDelayCwnd, HystartDelayDetect, HystartTrainCwnd, HystartTrainDetect};
        let outcome = upload(name);
        let sum = |counters: [Counter; 2]| {
            counters.map(|it| outcome.counter(CLIENT, it)).iter().sum::<u64>()
        };
        (sum([HystartTrainDetect, HystartDelayDetect]), sum([HystartTrainCwnd, HystartDelayCwnd]))
    };
    let (found, windows) = counts(Name::Cubic);
    assert_eq!(found, 1);
    assert!((16..140).contains(&windows), "the window of the path and its queue: {windows}");
    assert_eq!(counts(Name::Reno), (0, 0));
}
