//! What both targets check: pieces give the same as the whole, within bounds.

use std::{fmt::Debug, io};

use bytes::BytesMut;
use tokio_util::codec::Decoder;

/// Fails if `pieces` give other events than all of them at once, or if more
/// than `bound` bytes are kept between two.
pub fn check<C>(codec: impl Fn() -> C, pieces: &[Vec<u8>], bound: usize)
where
    C: Decoder<Item: Debug + PartialEq, Error = io::Error>,
{
    let whole = vec![pieces.concat()];
    assert_eq!(
        events(codec(), pieces, bound),
        events(codec(), &whole, bound)
    );
}

fn events<C: Decoder<Error = io::Error>>(
    mut codec: C,
    pieces: &[Vec<u8>],
    bound: usize,
) -> Vec<C::Item> {
    let mut buffer = BytesMut::new();
    let mut events = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        events.extend(std::iter::from_fn(|| {
            codec.decode(&mut buffer).expect("never fails")
        }));
        assert!(buffer.len() <= bound, "keeps {} bytes", buffer.len());
    }
    events.extend(std::iter::from_fn(|| {
        codec.decode_eof(&mut buffer).expect("never fails")
    }));
    assert!(buffer.is_empty());
    events
}
