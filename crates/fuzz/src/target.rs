/// Runs `$try`, a closure that takes `&[u8]`, on the corpus of the test that it stands in and on
/// `$iterations` random inputs of at most `$bytes` bytes. The test has nothing else in it.
#[macro_export]
macro_rules! target {
    ($iterations:expr, $bytes:expr, $try:expr) => {{
        let mut trials = $crate::Trials::begin($try);
        let target = $crate::bolero::check!();
        // Files of the corpus may be longer.
        let target = target.with_iterations($iterations).with_max_len($crate::FILE_MAX);
        let target = target.with_generator($crate::Inputs { bytes_max: $bytes });
        target.for_each(move |input: &Vec<u8>| trials.of(input))
    }};
}
