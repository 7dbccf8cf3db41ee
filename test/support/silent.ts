/** A logger that writes nothing, for failures that a test causes. */
export const silent = { error() {}, warn() {}, info() {}, debug() {} }
