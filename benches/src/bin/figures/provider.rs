//! Payment providers in processes of their own: the sandbox, and one that never answers.

use std::net::SocketAddr;

use anyhow::Context;
use tiketi_gateway::payments::sandbox::{Sandbox, SandboxSettings, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use tiketi_benches::bare;

/// The arguments that make this binary one of them.
pub(crate) const SANDBOX: &str = "--serve-sandbox";
pub(crate) const SILENCE: &str = "--serve-silence";

/// What a caller of the silent one says instead of a request, to learn how many others came.
const QUESTION: u8 = b'?';

/// Answers at once, until killed.
pub(crate) fn sandbox() -> anyhow::Result<()> {
    bare::runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        bare::announce(address)?;
        let sandbox = Sandbox::open(SandboxSettings::at(format!("http://{address}")))?;
        serve(listener, sandbox, std::future::pending()).await;
        Ok(())
    })
}

/// Takes requests and says nothing, until killed.
pub(crate) fn silence() -> anyhow::Result<()> {
    static REQUESTS: Semaphore = Semaphore::const_new(0);
    bare::runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        bare::announce(listener.local_addr()?)?;
        loop {
            let (mut socket, _) = listener.accept().await?;
            tokio::spawn(async move {
                match socket.read_u8().await {
                    Ok(QUESTION) => {
                        let count = socket.read_u32().await?;
                        REQUESTS.acquire_many(count).await.map_err(std::io::Error::other)?.forget();
                        socket.write_u8(QUESTION).await?;
                    }
                    Ok(_) => {
                        REQUESTS.add_permits(1);
                        // Until the caller gives up.
                        socket.read_to_end(&mut Vec::new()).await?;
                    }
                    Err(_) => {}
                }
                std::io::Result::Ok(())
            });
        }
    })
}

/// Waits until the silent one has heard so many more.
pub(crate) async fn wait_for(provider: SocketAddr, requests: usize) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(provider).await?;
    stream.write_u8(QUESTION).await?;
    stream.write_u32(u32::try_from(requests)?).await?;
    stream.read_u8().await.map(drop).context("the provider is gone")
}
