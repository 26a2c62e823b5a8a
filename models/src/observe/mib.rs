//! The kernels' counters, by the kernels' names (`nstat`, `/proc/net/mptcp_net/snmp`).

use mptcpsim_core::prefetch::prefetch;

use crate::rules::Stack;

macro_rules! counters {
    ($($(#[$line:ident])? $variant:ident = $name:literal,)*) => {
        /// A counter of a host's network stack.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Counter {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Counter {
            /// All counters in the order of the kernels' tables.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kernel's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The only line that has the counter; `None` is both.
            pub const fn only(self) -> Option<Stack> {
                match self { $(Self::$variant => counters!(@line $($line)?),)* }
            }
        }
    };
    (@line) => { None };
    (@line upstream) => { Some(Stack::Upstream) };
    (@line out_of_tree) => { Some(Stack::OutOfTree) };
}

counters! {
    ActiveOpens = "TcpActiveOpens",
    PassiveOpens = "TcpPassiveOpens",
    AttemptFails = "TcpAttemptFails",
    EstabResets = "TcpEstabResets",
    CurrEstab = "TcpCurrEstab",
    InSegs = "TcpInSegs",
    OutSegs = "TcpOutSegs",
    RetransSegs = "TcpRetransSegs",
    OutRsts = "TcpOutRsts",
    DelayedAcks = "TcpExtDelayedACKs",
    DelayedAckLost = "TcpExtDelayedACKLost",
    SackRecovery = "TcpExtTCPSackRecovery",
    RenoRecovery = "TcpExtTCPRenoRecovery",
    SackReneging = "TcpExtTCPSACKReneging",
    RenoReorder = "TcpExtTCPRenoReorder",
    SackReorder = "TcpExtTCPSACKReorder",
    FullUndo = "TcpExtTCPFullUndo",
    PartialUndo = "TcpExtTCPPartialUndo",
    DsackUndo = "TcpExtTCPDSACKUndo",
    LossUndo = "TcpExtTCPLossUndo",
    LostRetransmit = "TcpExtTCPLostRetransmit",
    FastRetrans = "TcpExtTCPFastRetrans",
    SlowStartRetrans = "TcpExtTCPSlowStartRetrans",
    Timeouts = "TcpExtTCPTimeouts",
    LossProbes = "TcpExtTCPLossProbes",
    LossProbeRecovery = "TcpExtTCPLossProbeRecovery",
    SpuriousRtos = "TcpExtTCPSpuriousRTOs",
    RcvPruned = "TcpExtRcvPruned",
    RcvQDrop = "TcpExtTCPRcvQDrop",
    OfoQueueTcp = "TcpExtTCPOFOQueue",
    OfoDrop = "TcpExtTCPOFODrop",
    OfoMergeTcp = "TcpExtTCPOFOMerge",
    DsackOldSent = "TcpExtTCPDSACKOldSent",
    DsackOfoSent = "TcpExtTCPDSACKOfoSent",
    DsackRecv = "TcpExtTCPDSACKRecv",
    #[upstream] DsackIgnoredDubious = "TcpExtTCPDSACKIgnoredDubious",
    PawsEstab = "TcpExtPAWSEstab",
    #[upstream] BeyondWindow = "TcpExtBeyondWindow",
    SyncookiesSent = "TcpExtSyncookiesSent",
    SyncookiesRecv = "TcpExtSyncookiesRecv",
    SyncookiesFailed = "TcpExtSyncookiesFailed",
    ChallengeAck = "TcpExtTCPChallengeACK",
    SynChallenge = "TcpExtTCPSYNChallenge",
    SynRetrans = "TcpExtTCPSynRetrans",
    OrigDataSent = "TcpExtTCPOrigDataSent",
    Delivered = "TcpExtTCPDelivered",
    #[upstream] DeliveredCe = "TcpExtTCPDeliveredCE",
    AbortOnData = "TcpExtTCPAbortOnData",
    AbortOnTimeout = "TcpExtTCPAbortOnTimeout",
    AckCompressed = "TcpExtTCPAckCompressed",
    ZeroWindowDrop = "TcpExtTCPZeroWindowDrop",
    WinProbeTcp = "TcpExtTCPWinProbe",
    FromZeroWindowAdv = "TcpExtTCPFromZeroWindowAdv",
    ToZeroWindowAdv = "TcpExtTCPToZeroWindowAdv",
    FastOpenActive = "TcpExtTCPFastOpenActive",
    FastOpenActiveFail = "TcpExtTCPFastOpenActiveFail",
    FastOpenPassive = "TcpExtTCPFastOpenPassive",
    FastOpenPassiveFail = "TcpExtTCPFastOpenPassiveFail",
    FastOpenCookieReqd = "TcpExtTCPFastOpenCookieReqd",
    Md5NotFound = "TcpExtTCPMD5NotFound",
    Md5Unexpected = "TcpExtTCPMD5Unexpected",
    Md5Failure = "TcpExtTCPMD5Failure",
    HystartTrainDetect = "TcpExtTCPHystartTrainDetect",
    HystartTrainCwnd = "TcpExtTCPHystartTrainCwnd",
    HystartDelayDetect = "TcpExtTCPHystartDelayDetect",
    HystartDelayCwnd = "TcpExtTCPHystartDelayCwnd",

    MpCapableSynRx = "MPTcpExtMPCapableSYNRX",
    MpCapableSynTx = "MPTcpExtMPCapableSYNTX",
    MpCapableSynAckRx = "MPTcpExtMPCapableSYNACKRX",
    MpCapableAckRx = "MPTcpExtMPCapableACKRX",
    MpCapableFallbackAck = "MPTcpExtMPCapableFallbackACK",
    MpCapableFallbackSynAck = "MPTcpExtMPCapableFallbackSYNACK",
    #[upstream] MpCapableSynTxDrop = "MPTcpExtMPCapableSYNTXDrop",
    #[upstream] MpCapableSynTxDisabled = "MPTcpExtMPCapableSYNTXDisabled",
    #[upstream] MpCapableEndpAttempt = "MPTcpExtMPCapableEndpAttempt",
    #[upstream] MpFallbackTokenInit = "MPTcpExtMPFallbackTokenInit",
    #[out_of_tree] MpCapableRetransFallback = "MPTcpExtMPCapableRetransFallback",
    #[out_of_tree] CsumEnabled = "MPTcpExtMPTCPCsumEnabled",
    MptcpRetrans = "MPTcpExtMPTCPRetrans",
    #[out_of_tree] MpFailRxOld = "MPTcpExtMPFailRX",
    #[out_of_tree] MpCsumFail = "MPTcpExtMPCsumFail",
    #[out_of_tree] MpFastcloseRxOld = "MPTcpExtMPFastcloseRX",
    #[out_of_tree] MpFastcloseTxOld = "MPTcpExtMPFastcloseTX",
    #[out_of_tree] FallbackAckSub = "MPTcpExtMPFallbackAckSub",
    #[out_of_tree] FallbackAckInit = "MPTcpExtMPFallbackAckInit",
    #[out_of_tree] FallbackDataSub = "MPTcpExtMPFallbackDataSub",
    #[out_of_tree] FallbackDataInit = "MPTcpExtMPFallbackDataInit",
    #[out_of_tree] RemoveAddrSubDelete = "MPTcpExtMPRemoveAddrSubDelete",
    MpJoinNoTokenFound = "MPTcpExtMPJoinNoTokenFound",
    #[out_of_tree] MpJoinAlreadyFallback = "MPTcpExtMPJoinAlreadyFallenback",
    MpJoinSynTx = "MPTcpExtMPJoinSynTx",
    #[upstream] MpJoinSynTxCreatSkErr = "MPTcpExtMPJoinSynTxCreatSkErr",
    #[upstream] MpJoinSynTxBindErr = "MPTcpExtMPJoinSynTxBindErr",
    #[upstream] MpJoinSynTxConnectErr = "MPTcpExtMPJoinSynTxConnectErr",
    MpJoinSynRx = "MPTcpExtMPJoinSynRx",
    #[upstream] MpJoinSynBackupRx = "MPTcpExtMPJoinSynBackupRx",
    MpJoinSynAckRx = "MPTcpExtMPJoinSynAckRx",
    #[upstream] MpJoinSynAckBackupRx = "MPTcpExtMPJoinSynAckBackupRx",
    MpJoinSynAckHmacFailure = "MPTcpExtMPJoinSynAckHMacFailure",
    MpJoinAckRx = "MPTcpExtMPJoinAckRx",
    MpJoinAckHmacFailure = "MPTcpExtMPJoinAckHMacFailure",
    #[upstream] MpJoinRejected = "MPTcpExtMPJoinRejected",
    #[out_of_tree] MpJoinAckMissing = "MPTcpExtMPJoinAckMissing",
    #[out_of_tree] MpJoinAckRto = "MPTcpExtMPJoinAckRTO",
    #[out_of_tree] MpJoinAckRexmit = "MPTcpExtMPJoinAckRexmit",
    NoDssInWindow = "MPTcpExtNoDSSInWindow",
    DssNotMatching = "MPTcpExtDSSNotMatching",
    #[upstream] DssCorruptionFallback = "MPTcpExtDSSCorruptionFallback",
    #[upstream] DssCorruptionReset = "MPTcpExtDSSCorruptionReset",
    #[upstream] InfiniteMapTx = "MPTcpExtInfiniteMapTx",
    InfiniteMapRx = "MPTcpExtInfiniteMapRx",
    DssNoMatchTcp = "MPTcpExtDSSNoMatchTCP",
    #[out_of_tree] DssTrimHead = "MPTcpExtDSSTrimHead",
    #[out_of_tree] DssSplitTail = "MPTcpExtDSSSplitTail",
    #[out_of_tree] DssPurgeOldSubSegs = "MPTcpExtDSSPurgeOldSubSegs",
    #[upstream] DataCsumErr = "MPTcpExtDataCsumErr",
    #[upstream] OfoQueueTail = "MPTcpExtOFOQueueTail",
    #[upstream] OfoQueue = "MPTcpExtOFOQueue",
    #[upstream] OfoMerge = "MPTcpExtOFOMerge",
    #[upstream] DuplicateData = "MPTcpExtDuplicateData",
    #[upstream] AddAddr = "MPTcpExtAddAddr",
    #[upstream] AddAddrTx = "MPTcpExtAddAddrTx",
    #[upstream] AddAddrTxDrop = "MPTcpExtAddAddrTxDrop",
    #[upstream] EchoAdd = "MPTcpExtEchoAdd",
    #[upstream] EchoAddTx = "MPTcpExtEchoAddTx",
    #[upstream] EchoAddTxDrop = "MPTcpExtEchoAddTxDrop",
    #[upstream] PortAdd = "MPTcpExtPortAdd",
    #[upstream] AddAddrDrop = "MPTcpExtAddAddrDrop",
    #[upstream] MpJoinPortSynRx = "MPTcpExtMPJoinPortSynRx",
    #[upstream] MpJoinPortSynAckRx = "MPTcpExtMPJoinPortSynAckRx",
    #[upstream] MpJoinPortAckRx = "MPTcpExtMPJoinPortAckRx",
    #[upstream] MismatchPortSynRx = "MPTcpExtMismatchPortSynRx",
    #[upstream] MismatchPortAckRx = "MPTcpExtMismatchPortAckRx",
    #[upstream] RmAddr = "MPTcpExtRmAddr",
    #[upstream] RmAddrDrop = "MPTcpExtRmAddrDrop",
    #[upstream] RmAddrTx = "MPTcpExtRmAddrTx",
    #[upstream] RmAddrTxDrop = "MPTcpExtRmAddrTxDrop",
    #[upstream] RmSubflow = "MPTcpExtRmSubflow",
    #[upstream] MpPrioTx = "MPTcpExtMPPrioTx",
    #[upstream] MpPrioRx = "MPTcpExtMPPrioRx",
    #[upstream] MpFailTx = "MPTcpExtMPFailTx",
    #[upstream] MpFailRx = "MPTcpExtMPFailRx",
    #[upstream] MpFastcloseTx = "MPTcpExtMPFastcloseTx",
    #[upstream] MpFastcloseRx = "MPTcpExtMPFastcloseRx",
    #[upstream] MpRstTx = "MPTcpExtMPRstTx",
    #[upstream] MpRstRx = "MPTcpExtMPRstRx",
    #[upstream] SubflowStale = "MPTcpExtSubflowStale",
    #[upstream] SubflowRecover = "MPTcpExtSubflowRecover",
    #[upstream] SndWndShared = "MPTcpExtSndWndShared",
    #[upstream] RcvWndShared = "MPTcpExtRcvWndShared",
    #[upstream] RcvWndConflictUpdate = "MPTcpExtRcvWndConflictUpdate",
    #[upstream] RcvWndConflict = "MPTcpExtRcvWndConflict",
    #[upstream] MpCurrEstab = "MPTcpExtMPCurrEstab",
    #[upstream] Blackhole = "MPTcpExtBlackhole",
    #[upstream] MpCapableDataFallback = "MPTcpExtMPCapableDataFallback",
    #[upstream] Md5SigFallback = "MPTcpExtMD5SigFallback",
    #[upstream] DssFallback = "MPTcpExtDssFallback",
    #[upstream] SimultConnectFallback = "MPTcpExtSimultConnectFallback",
    #[upstream] FallbackFailed = "MPTcpExtFallbackFailed",
    #[upstream] WinProbe = "MPTcpExtWinProbe",
    #[out_of_tree] AddAddrRxOld = "MPTcpExtAddAddrRx",
    #[out_of_tree] AddAddrTxOld = "MPTcpExtAddAddrTx",
    #[out_of_tree] RemAddrRx = "MPTcpExtRemAddrRx",
    #[out_of_tree] RemAddrTx = "MPTcpExtRemAddrTx",
}

const COUNT: usize = Counter::ALL.len();

/// The counters of one host.
#[derive(Clone, Debug)]
pub struct Mib {
    values: Box<[u64; COUNT]>,
}

impl Default for Mib {
    fn default() -> Self {
        Self { values: Box::new([0; COUNT]) }
    }
}

impl Mib {
    /// Brings near what every segment counts.
    pub(crate) fn prefetch(&self) {
        for counter in [Counter::InSegs, Counter::OrigDataSent, Counter::OfoQueue] {
            prefetch(&self.values[counter as usize]);
        }
    }

    /// Adds one.
    #[inline]
    pub fn inc(&mut self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds `count`.
    #[inline]
    pub fn add(&mut self, counter: Counter, count: u64) {
        self.values[counter as usize] += count;
    }

    /// Takes one off a gauge.
    pub fn dec(&mut self, counter: Counter) {
        let value = &mut self.values[counter as usize];
        *value = value.saturating_sub(1);
    }

    /// The value of a counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize]
    }

    /// All counters of line `stack` with their values.
    pub fn iter(&self, stack: Stack) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL
            .iter()
            .filter(move |counter| counter.only().is_none_or(|only| only == stack))
            .map(|&counter| (counter, self.get(counter)))
    }
}
