/** One EventSource, watched: it says when it carries, when it is lost and when it is no use. */

/** A proxy that buffers lets nothing through, for minutes: no first frame in this time is a failure. */
export const FIRST_FRAME = 3000;
/** This many losses in LOSS_WINDOW, and streaming is taken to be broken. */
export const MAX_LOSSES = 3;
export const LOSS_WINDOW = 10_000;

const CLOSED = 2;

/**
 * Opens a stream at `url`; reports go to `on`:
 *
 * - frame(data, fresh): `fresh` unless it may be a repetition, as the first one always is;
 * - open(): it carries again after a loss, with nothing missed;
 * - lost(): the browser reconnects by itself, in the time that the server asked for;
 * - failed(reason): "mute", "refused" or "losses"; the stream is closed and stays so.
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
  const timer = env.setTimeout(() => framed || fail("mute"), FIRST_FRAME);

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
