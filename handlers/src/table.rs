//! The table of formats, one line each. [`Data`](crate::Data) and [`Format`](crate::Format) are
//! made from it.
//!
//! A format is a type in its own file with `decode`, `encode`, `warnings` and `walk`. Its line has
//!
//! - its name, also the name of the variants;
//! - the type, and whether a value is large and therefore boxed;
//! - the field with its JSON header, or `none`;
//! - its htypes; the first one is its name if it has no JSON header;
//! - its description.

/// Calls a macro with the lines of the table.
macro_rules! formats {
    ($make:ident) => {
        $make! {
            Raw: small crate::psi::Raw, header, ["raw-1.0", "pilatus-1.0"],
                "raw-1.0: a header and parts that are not interpreted; pilatus-1.0: the same with a file of CBF.";
            Array: small crate::psi::ArrayMessage, header, ["array-1.0", "chunk-1.0"],
                "array-1.0, and its predecessor chunk-1.0: a header and arrays.";
            Header: large crate::dectris::DetectorHeader, header, ["dheader-1.0"],
                "dheader-1.0: the configuration of a DECTRIS detector.";
            Image: large crate::dectris::Image, header, ["dimage-1.0"],
                "dimage-1.0: an image of a DECTRIS detector.";
            SeriesEnd: small crate::dectris::SeriesEnd, header, ["dseries_end-1.0"],
                "dseries_end-1.0: the end of a series of a DECTRIS detector.";
            Stream2: large crate::dectris::stream2::Stream2, none, [crate::header::stream2::HTYPE],
                "The stream V2 of a DECTRIS detector, which has no htype: a start, an image or an end.";
            Bsread: large crate::bsread::Bsread, main_header, ["bsr_m-1.0", "bsr_m-1.1"],
                "bsr_m-1.0 and bsr_m-1.1: the channels of bsread at one pulse.";
            BsreadStop: small crate::bsread::Stop, header, ["bsr_stop-1.0"],
                "bsr_stop-1.0: a sender of bsread stops.";
            BsreadReconnect: small crate::bsread::Reconnect, header, ["bsr_reconnect-1.0"],
                "bsr_reconnect-1.0: a stream of bsread continues at another address.";
        }
    };
}

pub(crate) use formats;
