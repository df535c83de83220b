// SPDX-License-Identifier: Apache-2.0
// The source that the parsed headers belong to (cmake/module.cmake); it has nothing of its own.
