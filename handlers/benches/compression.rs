//! Decoding of bitshuffle+LZ4 and the bit-transpose alone, against the C library in the same run.
//!
//! `cargo bench -p mflow-handlers --bench compression -- [--quick]`. The library is that of the
//! Python package `bitshuffle` in the virtual environment that `MFLOW_PEERS` names; if there is
//! none, nothing is compared. Each side decodes into a buffer that exists already and was written
//! to, in turns, nine times; each time counts the fastest of a few, as other programs disturb.

mod peer;
#[path = "../../benches/harness/table.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod table;

use std::hint::black_box;
use std::io::{Write, stdout};
use std::num::NonZeroUsize;
use std::time::Instant;

use mflow_handlers::compression::{Codec, Element, Threads};
use peer::{Peer, Source};
use table::{Spread, Table, against};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Pixels of a synthetic image, about 4.5 million.
const PIXELS: usize = 2068 * 2162;

/// An image and what it is compressed to.
struct Image {
    name: &'static str,
    element: Element,
    pixels: Vec<u8>,
    frame: Vec<u8>,
}

impl Image {
    fn new(name: &'static str, bytes: usize, pixels: Vec<u8>) -> Result<Self> {
        let element = Element::of_bytes(bytes)?;
        let frame = Codec::BitshuffleLz4(element).encode(&pixels)?;
        Ok(Self { name, element, pixels, frame })
    }

    /// The frame of a real detector.
    fn real() -> Result<Self> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/dimage_real_eiger2_16m/000000_002.raw"
        );
        let frame = std::fs::read(path)?;
        let element = Element::of_bytes(2)?;
        let codec = Codec::BitshuffleLz4(element);
        let mut pixels = vec![0; usize::try_from(codec.decoded_length(&frame)?)?];
        codec.decode_into(&frame, &mut pixels, Threads::One)?;
        Ok(Self { name: "EIGER2-16M", element, pixels, frame })
    }

    fn source<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> Source<'a> {
        let element = self.element.bytes();
        Source { name, element, count: self.pixels.len() / element, block: 8192 / element, bytes }
    }
}

/// Counts of photons as of a strong diffuse background, of which each pixel differs.
fn counts() -> impl Iterator<Item = u16> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // The number of bits set is spread as counts are.
        10 + u16::try_from((state >> 40).count_ones()).unwrap_or(0)
    })
    .take(PIXELS)
}

fn images() -> Result<Vec<Image>> {
    let u16s = counts().flat_map(u16::to_le_bytes).collect();
    let u32s = counts().flat_map(|count| u32::from(count).to_le_bytes()).collect();
    Ok(vec![Image::real()?, Image::new("dense-u16", 2, u16s)?, Image::new("dense-u32", 4, u32s)?])
}

/// Returns the seconds that the fastest of some times took.
fn fastest(times: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..times {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Prints pixels in GB/s; a dash if nothing was timed.
fn speed(bytes: f64, seconds: &[f64]) -> String {
    match Spread::of(seconds.iter().copied()).median {
        median if median.is_nan() => "-".into(),
        median => format!("{:.2}", bytes / median / 1e9),
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let (runs, times) = if quick { (3, 2) } else { (9, 15) };
    let mut peer = Peer::start().inspect_err(|error| {
        let _ = writeln!(stdout(), "nothing is compared with the C library: {error}");
    });
    if let Ok(peer) = &peer {
        writeln!(stdout(), "the C library uses {}", peer.instructions)?;
    }

    let two = Threads::UpTo(NonZeroUsize::new(2).ok_or("two is not zero")?);
    let mut decoding =
        Table::new(["decode, GB/s of pixels", "packed", "C", "one", "two", "one / C", "two / one"]);
    let mut transposing =
        Table::new(["bit-transpose, GB/s", "C", "one", "one / C", "the other way"]);
    for image in images()? {
        let (name, codec) = (image.name, Codec::BitshuffleLz4(image.element));
        let mut out = vec![1; image.pixels.len()];
        let block = image.element.bytes() * (8192 / image.element.bytes());
        let whole = image.pixels.len() / block * block;
        let rows: Vec<u8> = image.pixels[..whole]
            .chunks_exact(block)
            .map(|block| image.element.transpose(block))
            .collect::<std::result::Result<Vec<_>, _>>()?
            .concat();
        let row_name = format!("{name}-rows");
        if let Ok(peer) = &mut peer {
            peer.load(&image.source(name, &image.frame[12..]))?;
            let source = image.source(&row_name, &rows);
            peer.load(&Source { count: whole / image.element.bytes(), ..source })?;
        }
        let [mut c, mut one, mut double, mut c_rows, mut own_rows, mut back] =
            [const { Vec::new() }; 6];
        for _ in 0..runs {
            if let Ok(peer) = &mut peer {
                c.push(peer.run("decode", name, times)?);
                c_rows.push(peer.run("unshuffle", &row_name, times)?);
            }
            let mut decode = |threads| {
                fastest(times, || {
                    Ok(codec.decode_into(&image.frame, black_box(&mut out), threads)?)
                })
            };
            one.push(decode(Threads::One)?);
            double.push(decode(two)?);
            assert!(out == image.pixels, "{name} decodes to other pixels");
            own_rows.push(fastest(times, || {
                for (rows, out) in rows.chunks_exact(block).zip(out.chunks_exact_mut(block)) {
                    image.element.untranspose_into(rows, black_box(out))?;
                }
                Ok(())
            })?);
            back.push(fastest(2, || {
                for block in image.pixels.chunks_exact(block) {
                    black_box(image.element.transpose(black_box(block))?);
                }
                Ok(())
            })?);
        }
        #[expect(clippy::cast_precision_loss, reason = "lengths here are far below 2^53")]
        let [bytes, packed] = [image.pixels.len(), image.frame.len()].map(|length| length as f64);
        decoding.row([
            name.into(),
            format!("{:.1}:1", bytes / packed),
            speed(bytes, &c),
            speed(bytes, &one),
            speed(bytes, &double),
            against(Spread::of_ratios(&c, &one), 1.3),
            against(Spread::of_ratios(&one, &double), 1.7),
        ]);
        transposing.row([
            name.into(),
            speed(bytes, &c_rows),
            speed(bytes, &own_rows),
            against(Spread::of_ratios(&c_rows, &own_rows), 1.5),
            speed(bytes, &back),
        ]);
    }
    write!(stdout(), "\n{decoding}\n{transposing}")?;
    Ok(())
}
