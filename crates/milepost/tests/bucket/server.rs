//! A server that speaks S3: moto's, from Python.

use std::{
    env,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A server with a bucket.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub fn start() -> Self {
        let python = env::var_os("MILEPOST_BUCKET_PYTHON").expect("MILEPOST_BUCKET_PYTHON names a Python that has moto");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let child = Command::new(python)
            .args(["-m", "moto.server", "--host", "127.0.0.1", "--port", &free.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto");
        let server = Self { child, address: free };
        let began = Instant::now();
        while server.asked("PUT /team HTTP/1.1").is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "moto does not listen");
            thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// What it answers.
    pub fn asked(&self, request: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        write!(stream, "{request}\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", self.address).ok()?;
        let mut heard = String::new();
        stream.read_to_string(&mut heard).ok()?;
        Some(heard)
    }
}
