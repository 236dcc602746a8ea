//! [`Npy`]: an array as a file of NumPy.
//!
//! ```text
//! 93 4e 55 4d 50 59   \x93NUMPY
//! 01 00               version 1.0
//! 76 00               length of the header, little endian
//! {'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }   and spaces up to a newline, so that
//!                     the data begin at a multiple of 64
//! …                   the elements in C order
//! ```
//!
//! Source: `numpy.lib.format`.

use std::io::{self, Write};

use mflow_handlers::{Array, ByteOrder, Dtype};

use super::array_folder::ArrayFile;

/// The bytes before the header: magic, version and length.
const PREFIX: usize = 10;

/// The data of a file begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Writes arrays as NumPy reads them: any type, any shape, in the byte order they have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Npy;

impl ArrayFile for Npy {
    const EXTENSION: &'static str = "npy";

    fn accepts(&self, _array: &Array) -> bool {
        true
    }

    fn write(&self, _name: &str, array: &Array, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&head(array))?;
        out.write_all(array.bytes())
    }
}

/// Returns everything before the elements.
fn head(array: &Array) -> Vec<u8> {
    let extents: String = array.shape().iter().map(|extent| format!("{extent}, ")).collect();
    // One extent keeps its comma, as tuples of Python do.
    let shape =
        if array.shape().len() > 1 { extents.trim_end_matches(", ") } else { extents.trim_end() };
    let descr = descr(array);
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (PREFIX + text.len() + 1).next_multiple_of(ALIGNMENT) - PREFIX;
    text = format!("{text:<0$}\n", length - 1);
    let field = u16::try_from(length).expect("64 dimensions fit into a length of two bytes");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(field.to_le_bytes());
    bytes.extend(text.into_bytes());
    bytes
}

/// Returns byte order, kind and size as NumPy writes them.
fn descr(array: &Array) -> String {
    let dtype = array.dtype();
    let order = match (dtype.word(), array.order()) {
        (1, _) => '|',
        (_, ByteOrder::Little) => '<',
        (_, ByteOrder::Big) => '>',
    };
    let kind = match dtype {
        Dtype::Bool => 'b',
        Dtype::Int8 | Dtype::Int16 | Dtype::Int32 | Dtype::Int64 => 'i',
        Dtype::Uint8 | Dtype::Uint16 | Dtype::Uint32 | Dtype::Uint64 => 'u',
        Dtype::Float16 | Dtype::Float32 | Dtype::Float64 => 'f',
        Dtype::Complex64 | Dtype::Complex128 => 'c',
    };
    format!("{order}{kind}{}", dtype.size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_numpy_writes() {
        let array = Array::from_elements(&[1_u16, 2, 3, 4, 5, 6], &[2, 3]).unwrap();
        let mut file = Vec::new();
        Npy.write("image", &array.to_order(ByteOrder::Big), &mut file).unwrap();
        let text = "{'descr': '>u2', 'fortran_order': False, 'shape': (2, 3), }";
        let mut expected = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        expected.extend(format!("{text:117}\n").bytes());
        expected.extend([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6]);
        assert_eq!(file, expected);
    }

    #[test]
    fn shapes_are_tuples_and_single_bytes_have_no_order() {
        let text = |shape: &[usize]| {
            let length = shape.iter().product();
            let head = head(&Array::from_elements(&vec![0_u8; length], shape).unwrap());
            assert_eq!(head.len() % ALIGNMENT, 0);
            String::from_utf8(head[10..].to_vec()).unwrap().trim_end().to_owned()
        };
        let expected =
            |shape: &str| format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        assert_eq!(text(&[]), expected("()"));
        assert_eq!(text(&[3]), expected("(3,)"));
        assert_eq!(text(&[2, 0, 3]), expected("(2, 0, 3)"));
        text(&[1; 64]);
    }
}
