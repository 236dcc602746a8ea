//! Arrays, bytes and numbers as canonical JSON.

use bytes::Bytes;
use half::f16;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::array::{Array, ByteOrder, Dtype, Element};

/// The most elements of an array, and the most bytes, that are written out.
const WRITTEN_OUT: usize = 64;

/// Parts with any content. An empty part is a missing value.
pub(crate) fn parts(parts: &[Bytes]) -> Value {
    parts.iter().map(|part| if part.is_empty() { Value::Null } else { bytes(part) }).collect()
}

pub(crate) fn bytes(bytes: &Bytes) -> Value {
    if bytes.len() <= WRITTEN_OUT {
        json!({ "bytes_hex": hex(bytes) })
    } else {
        json!({ "bytes_len": bytes.len(), "sha256": sha256(bytes) })
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn array(array: &Array) -> Value {
    let mut object = json!({
        "dtype": array.dtype().name(),
        "shape": array.shape(),
        "nbytes": array.bytes().len(),
        "sha256": sha256(array.to_order(ByteOrder::Little).bytes()),
    });
    if array.len() <= WRITTEN_OUT {
        object["values"] = nest(array.shape(), elements(array));
    }
    object
}

/// Folds elements in C order into lists of lists, starting with the fastest dimension.
fn nest(shape: &[usize], elements: Vec<Value>) -> Value {
    let Some((&slowest, faster)) = shape.split_first() else {
        return elements.into_iter().next().unwrap_or_default();
    };
    if elements.is_empty() {
        return json!([]);
    }
    let lists = faster
        .iter()
        .rev()
        .fold(elements, |elements, &extent| elements.chunks(extent).map(Value::from).collect());
    debug_assert_eq!(lists.len(), slowest);
    lists.into()
}

fn elements(array: &Array) -> Vec<Value> {
    match array.dtype() {
        Dtype::Bool => each(array, |byte: u8| (byte != 0).into()),
        Dtype::Int8 => each(array, |number: i8| number.into()),
        Dtype::Int16 => each(array, |number: i16| number.into()),
        Dtype::Int32 => each(array, |number: i32| number.into()),
        Dtype::Int64 => each(array, |number: i64| number.into()),
        Dtype::Uint8 => each(array, |number: u8| number.into()),
        Dtype::Uint16 => each(array, |number: u16| number.into()),
        Dtype::Uint32 => each(array, |number: u32| number.into()),
        Dtype::Uint64 => each(array, |number: u64| number.into()),
        Dtype::Float16 => each(array, |number: f16| float(number.into())),
        Dtype::Float32 => each(array, |number: f32| float(number.into())),
        Dtype::Float64 => each(array, float),
        Dtype::Complex64 => each(array, |[re, im]: [f32; 2]| complex(re.into(), im.into())),
        Dtype::Complex128 => each(array, |[re, im]: [f64; 2]| complex(re, im)),
    }
}

fn each<T: Element>(array: &Array, value: impl Fn(T) -> Value) -> Vec<Value> {
    let elements = array.elements::<T>().expect("the type is that of the array");
    elements.iter().copied().map(value).collect()
}

pub(crate) fn float(number: f64) -> Value {
    match number {
        _ if number.is_finite() => number.into(),
        _ if number.is_nan() => json!({ "float": "nan" }),
        _ if number > 0.0 => json!({ "float": "inf" }),
        _ => json!({ "float": "-inf" }),
    }
}

fn complex(re: f64, im: f64) -> Value {
    json!({ "re": float(re), "im": float(im) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(array: &Array) -> Value {
        super::array(array)["values"].clone()
    }

    #[test]
    fn nan_and_infinities_are_named() {
        let floats =
            Array::from_elements(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5], &[4]).unwrap();
        assert_eq!(
            values(&floats),
            json!([{"float": "nan"}, {"float": "inf"}, {"float": "-inf"}, 0.5])
        );
        let complex = Array::from_elements(&[[1.0, f64::NAN]], &[]).unwrap();
        assert_eq!(values(&complex), json!({"re": 1.0, "im": {"float": "nan"}}));
    }

    #[test]
    fn values_are_nested_by_the_shape() {
        let array = |shape: &[usize]| Array::from_elements(&[1_u8, 2, 3, 4, 5, 6], shape).unwrap();
        assert_eq!(values(&array(&[6])), json!([1, 2, 3, 4, 5, 6]));
        assert_eq!(values(&array(&[2, 3])), json!([[1, 2, 3], [4, 5, 6]]));
        assert_eq!(values(&array(&[1, 3, 1, 2])), json!([[[[1, 2]], [[3, 4]], [[5, 6]]]]));
        assert_eq!(values(&Array::from_elements::<u8>(&[], &[2, 0]).unwrap()), json!([]));
    }

    #[test]
    fn more_than_64_elements_are_not_written_out() {
        let array =
            |len: usize| super::array(&Array::from_elements(&vec![0_u8; len], &[len]).unwrap());
        assert!(array(64).get("values").is_some());
        assert_eq!(array(65).get("values"), None);
        assert_eq!(bytes(&Bytes::from_static(&[0xab, 1])), json!({"bytes_hex": "ab01"}));
        assert_eq!(bytes(&vec![0; 65].into())["bytes_len"], 65);
    }

    #[test]
    fn the_hash_does_not_depend_on_the_byte_order() {
        let little = Array::from_elements(&[1_u32, 2], &[2]).unwrap().to_order(ByteOrder::Little);
        assert_eq!(super::array(&little), super::array(&little.to_order(ByteOrder::Big)));
    }
}
