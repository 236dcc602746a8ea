//! Message streams of scientific detectors.
