// Makes the launcher of one app of another's, as `dotnet publish` makes it of a template: by the name of what it starts.
//
//   node launcher.js LAUNCHER ITS-DLL DLL OUT
"use strict";
const fs = require("fs");

const [launcher, old, name, out] = process.argv.slice(2);
const bytes = fs.readFileSync(launcher);
const at = bytes.indexOf(`\0${old}\0`) + 1;
const room = 64;
if (at === 0 || name.length >= room || bytes.subarray(at + old.length, at + room).some(byte => byte !== 0)) {
    throw new Error(`${launcher}: no room for the name of an app`);
}
bytes.fill(0, at, at + room);
bytes.write(name, at);
fs.writeFileSync(out, bytes, { mode: 0o755 });
