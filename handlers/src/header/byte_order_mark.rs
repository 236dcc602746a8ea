//! The byte order mark that some editors and libraries put before JSON in UTF-8. It has no meaning.

/// The mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns a text without the mark that it begins with.
///
/// ```
/// use mflow_handlers::without_byte_order_mark;
///
/// assert_eq!(without_byte_order_mark(b"\xef\xbb\xbf{}"), b"{}");
/// assert_eq!(without_byte_order_mark(b"{}"), b"{}");
/// ```
#[inline]
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}
