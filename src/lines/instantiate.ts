/** What of a module's exports every module has. */
export interface WasmModule {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): void };
}

/** What of WebAssembly is used here: Node's types leave it out. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

/** Makes an instance, with a memory of its own, of a module that `npm run wasm` compiled. */
export function instantiate<T extends WasmModule>(base64: string, host: Readonly<Record<string, unknown>> = {}): T {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
  return new Instance(new Module(Buffer.from(base64, 'base64')), { host }).exports as T;
}
