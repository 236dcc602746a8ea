//! What the messages of scientific detectors mean.
