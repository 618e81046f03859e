//! Work that keeps a processor busy, away from the threads that answer.

use std::thread;

use tokio::sync::oneshot;

use crate::RenderError;

/// The YAML parser takes some 20 KiB a level in a debug build; an overflow would end the process.
const STACK: usize = 16 << 20;

/// Runs `work` on a thread of its own. A panic in it is an error here.
///
/// When the caller goes away the work goes on to its end, which bounds on files and documents keep near.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RenderError> {
    let (send, receive) = oneshot::channel();
    let thread = thread::Builder::new().name("render".into()).stack_size(STACK);
    thread
        .spawn(move || send.send(work()).is_ok())
        .map_err(|e| RenderError::internal("can't start a thread", &e))?;
    receive.await.map_err(|_| {
        RenderError::Internal("rendering ended in a panic, which is a bug in Wharfinger".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let error = blocking(|| assert_eq!(1, 2)).await.unwrap_err().to_string();
        assert!(error.contains("panic"), "{error}");
        assert_eq!(blocking(|| 1).await.unwrap(), 1);
    }
}
