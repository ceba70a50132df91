#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ancm::fuzzing::requests(data));
