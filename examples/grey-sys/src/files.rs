//! Files for the decoder: good ones, and one for each of its faults.

/// A good file: `pixels` has `width` times `height` bytes.
pub fn encode(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    file(width, height, &packed(pixels))
}

/// A good file of one grey.
pub fn plain(width: u32, height: u32, grey: u8) -> Vec<u8> {
    encode(width, height, &vec![grey; width as usize * height as usize])
}

/// A broken file, whose body ends after one pixel. The decoder refuses it, and leaks `width` times `height`
/// bytes.
pub fn truncated(width: u32, height: u32) -> Vec<u8> {
    file(width, height, &packed(&[0]))
}

/// A picture of one pixel with a body for 64 MiB of them: the decoder writes them all. Kills its process.
pub fn overrun() -> Vec<u8> {
    // 128 times the byte 170.
    file(1, 1, &[129, 170].repeat(1 << 19))
}

/// A file with a chunk whose length leads back to where it begins. The decoder reads it for ever.
pub fn endless() -> Vec<u8> {
    let mut file = form();
    chunk(&mut file, b"NOTE", &[], 0_u32.wrapping_sub(8));
    file
}

fn form() -> Vec<u8> {
    // The length of the form, which the decoder does not look at.
    [&b"FORM"[..], &[0; 4], b"GREY"].concat()
}

fn file(width: u32, height: u32, body: &[u8]) -> Vec<u8> {
    let mut file = form();
    chunk(&mut file, b"HEAD", &[width.to_be_bytes(), height.to_be_bytes()].concat(), 8);
    chunk(&mut file, b"BODY", body, body.len() as u32);
    file
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8], len: u32) {
    file.extend(name);
    file.extend(len.to_be_bytes());
    file.extend(content);
    if content.len() % 2 == 1 {
        file.push(0);
    }
}

/// As PackBits: runs of at most 128 bytes, single bytes as literals.
fn packed(pixels: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for equal in pixels.chunk_by(|left, right| left == right) {
        for run in equal.chunks(128) {
            match run {
                [single] => packed.extend([0, *single]),
                run => packed.extend([(257 - run.len()) as u8, run[0]]),
            }
        }
    }
    packed
}
