//! Keys, tokens, HMACs and DSS checksums against vectors computed by other implementations.

use std::net::IpAddr;

use mptcpsim_models::mptcp_keys::{
    Key, Version, add_addr_hmac, draft_add_addr_hmac, idsn, join_hmac, token,
};
use mptcpsim_models::payload::Payload;
use mptcpsim_models::segment::{AddAddr, Segment};
use mptcpsim_models::wire::{Sum, dss_checksum, dss_checksum_holds, emit_options, parse_options};
use serde_json::Value;

fn vectors(of: &str) -> Vec<Value> {
    let vectors: Value = serde_json::from_str(include_str!("data/crypto_vectors.json")).unwrap();
    let vectors = vectors[of].as_array().unwrap().clone();
    assert!(!vectors.is_empty());
    vectors
}

fn bytes(vector: &Value, field: &str) -> Vec<u8> {
    let digits = vector[field].as_str().unwrap();
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn number(vector: &Value, field: &str) -> u64 {
    u64::from_str_radix(vector[field].as_str().unwrap(), 16).unwrap()
}

fn key(vector: &Value, field: &str) -> Key {
    Key(number(vector, field))
}

fn version(vector: &Value) -> Version {
    match vector["version"].as_u64() {
        Some(0) => Version::V0,
        Some(1) => Version::V1,
        other => panic!("version {other:?}"),
    }
}

#[test]
fn tokens_and_initial_data_sequence_numbers() {
    for vector in vectors("key_derivation") {
        let (key, version) = (key(&vector, "key"), version(&vector));
        assert_eq!(u64::from(token(key, version)), number(&vector, "token"));
        assert_eq!(idsn(key, version), number(&vector, "idsn"));
        let first = idsn(key, version).wrapping_add(1);
        assert_eq!(first, number(&vector, "first_data_seq"));
    }
}

#[test]
fn proofs_of_mp_join() {
    for vector in vectors("mp_join") {
        let version = version(&vector);
        let nonce = |field| number(&vector, field) as u32;
        let initiator = (key(&vector, "key_initiator"), nonce("nonce_initiator"));
        let responder = (key(&vector, "key_responder"), nonce("nonce_responder"));
        let answer = join_hmac(responder.0, initiator.0, responder.1, initiator.1, version);
        let third = join_hmac(initiator.0, responder.0, initiator.1, responder.1, version);
        assert_eq!(u64::from(token(responder.0, version)), number(&vector, "token_in_syn"));
        assert_eq!(answer.leftmost64(), number(&vector, "synack_truncated_hmac_64"));
        assert_eq!(answer.bytes160()[..], bytes(&vector, "hmac_responder_full")[..20]);
        assert_eq!(third.bytes160()[..], bytes(&vector, "third_ack_hmac_160"));
    }
}

#[test]
fn proofs_and_bytes_of_add_addr() {
    for vector in vectors("add_addr") {
        let (sender, receiver) = (key(&vector, "key_sender"), key(&vector, "key_receiver"));
        let addr: IpAddr = vector["addr"].as_str().unwrap().parse().unwrap();
        let port = Some(vector["port"].as_u64().unwrap() as u16).filter(|port| *port != 0);
        let address_id = vector["addr_id"].as_u64().unwrap() as u8;
        let hmac = add_addr_hmac(sender, receiver, address_id, addr, port);
        assert_eq!(hmac, number(&vector, "truncated_hmac_rightmost_64"));
        let draft = draft_add_addr_hmac(sender, address_id, addr, port);
        assert_eq!(draft, number(&vector, "kernel_0_9x_version1_draft_truncated_hmac_leftmost_64"));

        let announcement = AddAddr { address_id, addr, port, echo: false, hmac: Some(hmac) };
        let echo = AddAddr { echo: true, hmac: None, ..announcement };
        let unsigned = AddAddr { hmac: None, ..announcement };
        for (option, version, field) in [
            (announcement, Version::V1, "option_echo0"),
            (echo, Version::V1, "option_echo1"),
            (unsigned, Version::V0, "v0_option_no_hmac"),
        ] {
            let mut segment = Segment::default();
            segment.rare_mut().add_addr = Some(option);
            let emitted = emit_options(&segment, version).unwrap();
            let expected = bytes(&vector, field);
            assert_eq!(emitted[..expected.len()], expected, "{field}");
            assert!(emitted[expected.len()..].iter().all(|byte| *byte == 1));
            let mut parsed = Segment::default();
            parse_options(&emitted, version, &mut parsed);
            assert_eq!(parsed, segment, "{field}");
        }
    }
}

#[test]
fn checksums_of_mappings() {
    for vector in vectors("dss_checksum") {
        let payload = match vector["payload_hex"].as_str() {
            Some(_) => bytes(&vector, "payload_hex"),
            None => ruled_payload(&vector),
        };
        assert_eq!(payload.len() as u64, vector["payload_len"].as_u64().unwrap());
        let pieces: Vec<Payload> =
            payload.chunks(7).map(|piece| Payload::bytes(piece.to_vec())).collect();
        let dsn = number(&vector, "dsn");
        let ssn = vector["ssn"].as_u64().unwrap() as u32;
        let len = vector["data_level_length"].as_u64().unwrap() as u16;
        let checksum = number(&vector, "checksum") as u16;
        assert_eq!(dss_checksum(dsn, ssn, len, &pieces), checksum);
        let mut sum = Sum::default();
        sum.add_bytes(&payload);
        assert!(dss_checksum_holds(checksum, dsn, ssn, len, sum));
        assert!(!dss_checksum_holds(checksum ^ 0x0100, dsn, ssn, len, sum));
    }
}

fn ruled_payload(vector: &Value) -> Vec<u8> {
    match vector["payload_rule"].as_str().unwrap() {
        "bytes 0..255 repeated 5 times" => (0..1_280).map(|at| at as u8).collect(),
        "1427 bytes of 0xff" => vec![0xff; 1_427],
        rule => panic!("rule {rule:?}"),
    }
}
