//! Arrays whose columns lie side by side (tag 1040), brought to C order.

use bytes::Bytes;

use crate::array::Array;

/// Returns an array whose elements lie in Fortran's order with its elements in C order.
pub(super) fn to_c_order(array: &Array) -> Array {
    let shape = array.shape();
    if array.is_empty() || shape.iter().filter(|&&extent| extent > 1).count() < 2 {
        return array.clone();
    }
    let width = array.dtype().size();
    let strides: Vec<usize> = shape
        .iter()
        .scan(width, |stride, &extent| {
            let own = *stride;
            *stride *= extent;
            Some(own)
        })
        .collect();
    let source = array.bytes();
    let mut bytes = Vec::with_capacity(source.len());
    let mut index = vec![0; shape.len()];
    let mut offset = 0;
    while bytes.len() < source.len() {
        bytes.extend_from_slice(&source[offset..offset + width]);
        // Counts up, the last dimension first.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            offset += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            offset -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    Array::new(array.dtype(), array.order(), shape, Bytes::from(bytes))
        .expect("there are as many elements as before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_a_column_lie_side_by_side_before() {
        let array =
            |elements: &[u16], shape: &[usize]| Array::from_elements(elements, shape).unwrap();
        assert_eq!(
            to_c_order(&array(&[0, 3, 1, 4, 2, 5], &[2, 3])),
            array(&[0, 1, 2, 3, 4, 5], &[2, 3])
        );
        let three = array(&[0, 4, 2, 6, 1, 5, 3, 7], &[2, 2, 2]);
        assert_eq!(to_c_order(&three), array(&[0, 1, 2, 3, 4, 5, 6, 7], &[2, 2, 2]));
        for shape in [&[0, 5][..], &[1, 0], &[]] {
            let length = shape.iter().product();
            let same = array(&vec![7; length], shape);
            assert_eq!(to_c_order(&same), same);
        }
    }
}
