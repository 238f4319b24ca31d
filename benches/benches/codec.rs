//! The codec by itself: packets in memory to usable requests, and back. No sockets, no Python.

use benches::{
    browser_request, encode_response, headers_request, large_block_request, small_request, use_request,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lsapi::{AppPacket, BeginRequest, RawRequest, ResponseHead, limits::MAX_REQUEST_PACKET};
use std::hint::black_box;
use std::time::Duration;

fn fixtures() -> [(&'static str, Vec<u8>); 4] {
    [
        ("small", small_request()),
        ("browser", browser_request()),
        ("100-headers", headers_request()),
        ("64k-block", large_block_request()),
    ]
}

/// Checking alone: what a reader pays before it knows that a packet is right.
fn decode_request(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode-request");
    for (name, bytes) in fixtures() {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| BeginRequest::decode(black_box(&bytes), MAX_REQUEST_PACKET).map(|r| r.packet_len()));
        });
    }
    group.finish();
}

/// Checking and reading everything: the figure to keep below a microsecond for `browser`.
fn decode_usable_request(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode-usable-request");
    for (name, bytes) in fixtures() {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| b.iter(|| use_request(black_box(&bytes))));
    }
    group.finish();
}

fn encode_request(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode-request");
    for (name, bytes) in fixtures() {
        let Ok(request) = BeginRequest::decode(&bytes, MAX_REQUEST_PACKET) else { continue };
        let raw = RawRequest::from(&request);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| b.iter(|| black_box(&raw).encode()));
    }
    group.finish();
}

fn response(c: &mut Criterion) {
    let mut head = ResponseHead::default();
    let mut out = Vec::new();
    c.bench_function("encode-response", |b| b.iter(|| encode_response(&mut head, black_box(&mut out))));

    c.bench_function("decode-response", |b| {
        b.iter_batched_ref(
            || out.as_slice(),
            |rest| {
                let mut seen = 0;
                while let Ok((header, packet)) = AppPacket::decode(black_box(rest)) {
                    if let AppPacket::RespHeader(head) = packet {
                        seen += head.lines().map(|line| black_box(line.text()).len()).sum::<usize>();
                    }
                    *rest = rest.get(header.len..).unwrap_or_default();
                }
                seen
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group! {
    name = codec;
    // Nanosecond benches are steady long before criterion's five seconds are over.
    config = Criterion::default().sample_size(50).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(1));
    targets = decode_request, decode_usable_request, encode_request, response
}
criterion_main!(codec);
