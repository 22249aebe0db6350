//! The speed of decoding output. `cargo bench -p backdoor-shell`

use backdoor_shell::{Event, Nonce, Request, ShellCodec};
use bytes::BytesMut;
use divan::counter::BytesCount;
use tokio_util::codec::{Decoder as _, Encoder as _};

const OUTPUT: usize = 16 * 1024 * 1024;

/// How many bytes the client reads at once.
const READ: usize = 64 * 1024;

fn main() {
    divan::main();
}

#[divan::bench]
fn base64_frames(bencher: divan::Bencher<'_, '_>) {
    let encoded = vec![b'A'; OUTPUT / 3 * 4];
    bench(
        bencher,
        &[b"@b 0000000000000001 ", &encoded[..], b"\n"].concat(),
    );
}

#[divan::bench]
fn contents(bencher: divan::Bencher<'_, '_>) {
    let contents = vec![b'A'; OUTPUT];
    bench(
        bencher,
        &[b"@c 0000000000000001\n", &contents[..], b"\r\n@e"].concat(),
    );
}

#[divan::bench]
fn text_frames(bencher: divan::Bencher<'_, '_>) {
    let frame = format!("@t {} {}\n", Nonce::from(1), "total 0\\n".repeat(60));
    bench(bencher, frame.repeat(OUTPUT / frame.len()).as_bytes());
}

fn bench(bencher: divan::Bencher<'_, '_>, stream: &[u8]) {
    bencher
        .counter(BytesCount::of_slice(stream))
        .bench_local(|| {
            let mut codec = ShellCodec::default();
            let running = Request::Run {
                session: Nonce::from(0),
                nonce: Nonce::from(1),
                script: "",
            };
            let _ = codec.encode(running, &mut BytesMut::new());
            let mut buffer = BytesMut::with_capacity(READ);
            let mut decoded = 0;
            for read in stream.chunks(READ) {
                buffer.extend_from_slice(read);
                while let Ok(Some(event)) = codec.decode(&mut buffer) {
                    if let Event::Output(_, bytes) = event {
                        decoded += bytes.len();
                    }
                }
            }
            decoded
        });
}
