/* Made by the build of Debian: where modules are looked for. */
#define DEB_HOST_MULTIARCH "wasm32-wasi"
