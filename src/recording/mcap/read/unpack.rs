//! The records of a chunk: as they are, or decompressed within bounds.

use std::io::Read;

use super::block::Block;
use crate::recording::mcap::format::record::ChunkHead;

/// The most that a compressed chunk may become. Uncompressed ones have no such bound.
pub(crate) const MAX_UNPACKED: u64 = 1 << 30;

/// The records of a chunk, and what was wrong with it; there may be some records all the same.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(crate) records: Block,
    pub(crate) fault: Option<&'static str>,
}

/// What is wrong with a chunk of which bytes have changed.
const CHANGED: &str = "the checksum of a chunk does not match";

/// Returns the records of a chunk whose fields are in `block`. The checksum of one that is compressed
/// is looked at, and that of others if it is wanted: they are read whole for it.
pub(crate) fn unpack(block: Block, checks: bool) -> Unpacked {
    let nothing = |fault| Unpacked { records: Vec::new().into(), fault: Some(fault) };
    let Some(head) = ChunkHead::read(block.near()) else {
        return nothing("the head of a chunk is cut off");
    };
    if (block.len() - head.length) as u64 != head.records {
        return nothing("a chunk and its records have different lengths");
    }
    let (compression, unpacked, crc, length) =
        (head.compression.to_owned(), head.unpacked, head.crc, head.length);
    let packed = &block.bytes()[length..];
    let unpacked = match compression.as_str() {
        "" if unpacked == head.records => {
            let is_changed = checks && crc != 0 && crc32fast::hash(packed) != crc;
            let fault = is_changed.then_some(CHANGED);
            return Unpacked { records: block.behind(length), fault };
        }
        "" => return nothing("an uncompressed chunk has two lengths"),
        _ if unpacked > MAX_UNPACKED => return nothing("a compressed chunk has more than 1 GiB"),
        "zstd" => zstd(packed, unpacked),
        "lz4" => lz4(packed, unpacked),
        _ => return nothing("a chunk has a compression other than zstd and lz4"),
    };
    let (records, mut fault) = unpacked;
    if fault.is_none() && crc != 0 && crc32fast::hash(&records) != crc {
        fault = Some(CHANGED);
    }
    Unpacked { records: records.into(), fault }
}

/// What is wrong with a chunk that decompresses to more than it says.
const LONGER: &str = "a chunk becomes longer than it says when it is decompressed";

/// Decompresses what is there of `length` bytes, step by step: memory grows with the output.
fn zstd(packed: &[u8], length: u64) -> (Vec<u8>, Option<&'static str>) {
    const DAMAGED: Option<&str> = Some("a chunk cannot be decompressed by zstd");
    let mut records = Vec::new();
    let (Ok(length), Some(mut context)) = (usize::try_from(length), zstd_safe::DCtx::try_create())
    else {
        return (records, DAMAGED);
    };
    let mut step = vec![0; zstd_safe::DCtx::out_size()];
    let mut input = zstd_safe::InBuffer::around(packed);
    while records.len() < length {
        let mut output = zstd_safe::OutBuffer::around(step.as_mut_slice());
        let before = input.pos();
        let result = context.decompress_stream(&mut output, &mut input);
        let written = output.pos();
        let wanted = written.min(length - records.len());
        records.extend_from_slice(&step[..wanted]);
        if result.is_err() || (written == 0 && input.pos() == before) {
            return (records, DAMAGED);
        }
        if wanted < written {
            return (records, Some(LONGER));
        }
    }
    (records, None)
}

/// Decompresses what is there of `length` bytes.
fn lz4(packed: &[u8], length: u64) -> (Vec<u8>, Option<&'static str>) {
    const DAMAGED: Option<&str> = Some("a chunk cannot be decompressed by lz4");
    let mut records = Vec::new();
    let Ok(decoder) = lz4::Decoder::new(packed) else { return (records, DAMAGED) };
    // What was read before an error is in `records`.
    let read = decoder.take(length.saturating_add(1)).read_to_end(&mut records);
    let longer = records.len() as u64 > length;
    records.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    let whole = read.is_ok() && records.len() as u64 == length;
    (records, if longer { Some(LONGER) } else { DAMAGED.filter(|_| !whole) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::mcap::format::wire;

    fn chunk(compression: &str, unpacked: u64, records: &[u8]) -> Block {
        let mut bytes = Vec::new();
        for number in [1, 2, unpacked] {
            bytes.extend(u64::to_le_bytes(number));
        }
        bytes.extend([0; 4]);
        bytes.extend(u32::try_from(compression.len()).unwrap().to_le_bytes());
        bytes.extend(compression.as_bytes());
        bytes.extend((records.len() as u64).to_le_bytes());
        bytes.extend(records);
        bytes.into()
    }

    fn zstd_of(bytes: &[u8]) -> Vec<u8> {
        let mut packed = vec![0; zstd_safe::compress_bound(bytes.len())];
        let length = zstd_safe::compress(packed.as_mut_slice(), bytes, 1).unwrap();
        packed.truncate(length);
        packed
    }

    fn lz4_of(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = lz4::EncoderBuilder::new().build(Vec::new()).unwrap();
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().0
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let records: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
        for (name, packed) in
            [("", records.clone()), ("zstd", zstd_of(&records)), ("lz4", lz4_of(&records))]
        {
            let unpacked = unpack(chunk(name, records.len() as u64, &packed), false);
            assert_eq!(unpacked.fault, None, "{name}");
            assert!(unpacked.records.bytes() == records, "{name}");
        }
    }

    #[test]
    fn what_is_cut_or_grows_beyond_what_it_says_is_a_fault() {
        let records = vec![7; 1_000_000];
        for (name, packed) in [("zstd", zstd_of(&records)), ("lz4", lz4_of(&records))] {
            for cut in [0, 1, packed.len() / 2] {
                let unpacked = unpack(chunk(name, 1_000_000, &packed[..cut]), false);
                assert!(unpacked.fault.is_some(), "{name} {cut}");
            }
            let unpacked = unpack(chunk(name, 1_000_001, &packed), false);
            assert!(unpacked.fault.is_some(), "{name}: shorter than it says");
            let unpacked = unpack(chunk(name, 10, &packed), false);
            assert_eq!(unpacked.records.bytes(), [7; 10], "{name}");
            assert_eq!(unpacked.fault, Some(LONGER), "{name}");
        }
        assert!(unpack(chunk("zstd", 2 << 30, &zstd_of(&records)), false).fault.is_some());
        assert!(unpack(chunk("brotli", 1, b"x"), false).fault.is_some());
        assert!(unpack(chunk("", 2, b"x"), false).fault.is_some());
        assert!(unpack(b"".to_vec().into(), false).fault.is_some());
    }

    #[test]
    fn records_that_are_not_compressed_are_not_copied() {
        let block = chunk("", 100_000, &[1; 100_000]);
        let address = block.bytes()[wire::CHUNK_HEAD - wire::RECORD_HEAD..].as_ptr();
        assert_eq!(unpack(block, false).records.bytes().as_ptr(), address);
    }
}
