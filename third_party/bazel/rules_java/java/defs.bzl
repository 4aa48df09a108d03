"""The rules that Bazel's own Java toolchain files load, handed on from Bazel itself."""

java_import = native.java_import
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
