import type { HostOps } from "../../guest/host-ops.ts";

/** Legacy encodings by Node's own decoder. UTF-8 never comes here. */
export const textOps: Pick<HostOps, "textDecode" | "textLabel"> = {
  textDecode(label, bytes, fatal, ignoreBom) {
    const decoder = new TextDecoder(label, { fatal, ignoreBOM: ignoreBom });
    return decoder.decode(Buffer.from(bytes, "latin1"));
  },
  textLabel: (label) => new TextDecoder(label).encoding,
};
