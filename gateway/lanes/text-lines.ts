/** A line longer than any result with the largest limits is not one of ours. Characters. */
const LINE_MAX_CHARS = 64 * 1024 * 1024;

/**
 * Reads UTF-8 lines as they arrive. An empty line is a heartbeat and is passed over; what comes
 * after the last newline is the beginning of a line that was cut off, and is dropped.
 *
 * `heard` is called for each piece that arrives. A reader that stops early abandons the body.
 *
 * @throws {SyntaxError} Where a line is too long. Whatever the body fails with is passed on.
 */
export async function* readTextLines(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      let text = decoder.decode(value, { stream: true });
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
        pieces.push(text.slice(0, end));
        const line = pieces.join("");
        pieces = [];
        length = 0;
        text = text.slice(end + 1);
        if (line !== "") yield line;
      }
      pieces.push(text);
      length += text.length;
      if (length > LINE_MAX_CHARS) throw new SyntaxError("Cannot read a line: it is too long");
    }
  } finally {
    // Also where the reader of the lines stops early: the executor then sees itself abandoned.
    await reader.cancel().catch(() => undefined);
  }
}
