//! Headers: the JSON of a part, the fields that several formats share, and [`Peek`], which reads
//! the first part of a message without decoding it. The formats decode.

mod byte_order_mark;
mod field;
pub mod json;
mod non_number;
mod outline;
pub mod peek;
pub mod stage;
pub mod stream2;
pub mod time;

pub use byte_order_mark::without_byte_order_mark;
pub use json::Json;
pub use peek::Peek;
pub use stage::Stage;
pub use time::{DateTime, Rational, Timestamp};

pub(crate) use field::Valid;
pub(crate) use json::begins_object;
pub(crate) use outline::{Axes, Outline};
pub(crate) use time::ABSURD;
