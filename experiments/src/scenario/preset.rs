//! Links as they were measured somewhere, by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A link with the numbers of a kind of access; `up` leads away from whoever is connected by it.
///
/// Rates, delays and distributions come from the sources named; what they do not tell is chosen to fit.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LinkPreset {
    /// A port of an office switch. The rate is that of 1000BASE-T (IEEE 802.3 clause 40), the queue Linux'
    /// default of 1,000 packets.
    Ethernet,
    /// WiFi with one spatial stream of 20 MHz. The rates are seven tenths of those of IEEE 802.11n (MCS 1 to 7,
    /// clause 19.5), as much as remains after medium access; the rate steps between neighbours. Losses come in
    /// bursts (Gilbert-Elliott) and are rare, since frames are sent again; waiting for the medium makes the delay
    /// vary (Y.-C. Chen et al., "A Measurement-based Study of MultiPath TCP Performance over Wireless Networks",
    /// IMC 2013).
    Wifi,
    /// LTE. Median rates and round trip of 4GTest users (J. Huang et al., "A Close Examination of Performance and
    /// Power Characteristics of 4G LTE Networks", MobiSys 2012); the rate wanders and fails as in K. Winstein et
    /// al., NSDI 2013; retransmission rounds of 8 ms (3GPP TS 36.321) make the delay vary and hide losses; the
    /// buffer is deep (H. Jiang et al., "Tackling Bufferbloat in 3G/4G Networks", IMC 2012).
    Lte,
    /// 5G at 3.5 GHz beside an LTE anchor. Mean rates and the share of the round trip of D. Xu et al., "Understanding
    /// Operational 5G", SIGCOMM 2020; the model of the rate is that of `lte`.
    #[serde(rename = "5g")]
    FiveG,
    /// A satellite in low orbit, as Starlink. Median rates, and a delay between the quartiles of the round trip
    /// (F. Michel et al., "A First Look at Starlink Performance", IMC 2022), drawn anew every 15 s when
    /// terminals are assigned to satellites (N. Mohan et al., "A Multifaceted Look at Starlink Performance", WWW
    /// 2024); each time nothing is served for 60 ms.
    Leo,
    /// A geostationary satellite: the round trip of RFC 2488 section 2.
    Geo,
    /// ADSL2+ (ITU-T G.992.5) with interleaving, whose delay dominates the way, and a modem that queues for several
    /// hundred milliseconds (M. Dischinger et al., "Characterizing Residential Broadband Networks", IMC 2007;
    /// S. Sundaresan et al., "Broadband Internet Performance: A View From the Gateway", SIGCOMM 2011).
    Adsl,
    /// VDSL2 (ITU-T G.993.2) at 50 and 10 Mbit/s with an interleaving delay of 8 ms.
    Vdsl,
}
