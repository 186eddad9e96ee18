import {
  arrayBufferByteLength,
  dataViewBuffer,
  dataViewByteLength,
  dataViewByteOffset,
  NativeFloat32Array,
  NativeUint8Array,
  typedArrayBuffer,
  typedArrayByteLength,
  typedArrayByteOffset,
  typedArrayName,
} from "../primordials.ts";

/** What a buffer or a view of one holds, and what it is called in a `bytes` tag. */
export interface RawBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** The bytes of a buffer or view, as they are in memory. */
export function rawBytesOf(
  value: object,
  kind: "typed array" | "array buffer" | "data view",
): RawBytes {
  if (kind === "array buffer") {
    return rawBytes("ArrayBuffer", value as ArrayBuffer, 0, arrayBufferByteLength(value));
  }
  if (kind === "data view") {
    const offset = dataViewByteOffset(value);
    return rawBytes("DataView", dataViewBuffer(value), offset, dataViewByteLength(value));
  }
  const name = typedArrayName(value) as string;
  // No decoder knows half floats; a float holds each of them exactly.
  const isHalf = name === "Float16Array";
  const view = isHalf ? new NativeFloat32Array(value as Float32Array) : value;
  const length = typedArrayByteLength(view);
  const offset = typedArrayByteOffset(view);
  return rawBytes(isHalf ? "Float32Array" : name, typedArrayBuffer(view), offset, length);
}

function rawBytes(name: string, buffer: ArrayBuffer, offset: number, length: number): RawBytes {
  // A buffer that was taken away has no bytes, and refuses to be looked at.
  const bytes =
    length === 0 ? new NativeUint8Array(0) : new NativeUint8Array(buffer, offset, length);
  return { name, bytes, length };
}
