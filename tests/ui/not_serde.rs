//! A type that cannot travel is one error, at the method or field where it stands, with the remedy for its part.

use std::net::TcpStream;

use phalanx::prelude::*;

struct Image;
struct Brush;
struct Canvas;
struct Failure;
struct Color;
struct Paint;
struct Size;
struct Ink;

#[actor]
struct Painter;

#[actor]
impl Painter {
    fn paint(&self, _image: Image) {} //~ error

    fn paint_with(&self, _name: String, _brush: Brush, _times: u32) {} //~ error

    #[tell]
    fn prepare(&self, _canvas: Vec<Canvas>) {} //~ error

    fn painted(&self) -> Option<Size> { //~ error
        None
    }

    fn fail(&self) -> Result<u32, Failure> { //~ error
        Err(Failure)
    }

    fn color(&self) -> Result<Color, String> { //~ error
        Ok(Color)
    }

    fn load(&self, path: String) -> std::io::Result<Vec<u8>> { //~ error
        std::fs::read(path)
    }

    fn save(&self) -> Result<(), std::io::Error> { //~ error
        Ok(())
    }

    fn dry(&self) -> phalanx::Later<Paint> { //~ error
        phalanx::later().0
    }
}

#[actor]
struct Reader {
    stream: TcpStream,
}

#[actor]
impl Reader {
    #[init]
    fn new(stream: TcpStream) -> Self { //~ error
        Reader { stream }
    }

    fn port(&self) -> Option<u16> {
        self.stream.local_addr().ok().map(|address| address.port())
    }
}

#[task] //~ error
fn mix(_ink: Ink) {}

#[task]
fn dilute(_amount: u32) -> Result<u32, std::fmt::Error> { //~ error
    Err(std::fmt::Error)
}

fn main() {
    // Uses add no further errors.
    let painter = Painter.spawn().unwrap();
    let _ = painter.paint(Image);
    let _ = painter.try_paint(Image);
    let _ = painter.prepare(vec![Canvas]);
    let _ = (mix::spawn(Ink), mix::task());
}
