/** One EventSource, with reports of its frames, losses and failure. */

/** Milliseconds to the first frame; later is a failure, because a buffering proxy may hold it for minutes. */
export const FIRST_FRAME = 3000;
/** Losses within LOSS_WINDOW milliseconds after which streaming counts as failed. */
export const MAX_LOSSES = 3;
export const LOSS_WINDOW = 10_000;

const CLOSED = 2;

/**
 * Open a stream at `url` and call the functions of `on`:
 *
 * - frame(snapshot, fresh): a frame arrived; `fresh` is false for the first one after a connect, which may be old;
 * - open(): the stream is connected again after a loss, and no snapshot was missed;
 * - lost(): the connection was lost, and the browser reconnects after the reconnection time;
 * - failed(reason): the stream was closed for good, because of "silence", "refused" or "losses".
 */
export function openStream(url, env, on) {
  const source = new env.EventSource(url);
  let framed = false;
  let fresh = false;
  let losses = [];

  const close = () => {
    env.clearTimeout(timer);
    source.onopen = source.onmessage = source.onerror = null;
    source.close();
  };
  const fail = (reason) => {
    close();
    on.failed(reason);
  };
  const timer = env.setTimeout(() => framed || fail("silence"), FIRST_FRAME);

  source.onmessage = ({ data }) => {
    const snapshot = parse(data);
    if (snapshot === null) return;
    framed = true;
    on.frame(snapshot, fresh);
    fresh = true;
  };
  source.onopen = () => framed && on.open();
  source.onerror = () => {
    fresh = false;
    if (source.readyState === CLOSED) return fail("refused");
    const now = env.now();
    losses = [...losses.filter((at) => now - at < LOSS_WINDOW), now];
    if (losses.length >= MAX_LOSSES) return fail("losses");
    return on.lost();
  };
  return { close };
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
