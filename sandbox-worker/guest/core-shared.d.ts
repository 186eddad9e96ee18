/** Made by the build: the core's modules that the library imports, so that both have the same ones. */
declare module "core:shared" {
  /** Each module's exports, by the module's path. */
  export function core(): object;
}
