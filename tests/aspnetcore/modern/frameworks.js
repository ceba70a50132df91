// Lays the frameworks of a self-contained app out as an installation of .NET has them.
//
//   node frameworks.js PACKAGE DEPS VERSION ROOT
//
// PACKAGE is the app's folder, DEPS the name of its list of files, VERSION that of both frameworks.
"use strict";
const fs = require("fs");
const path = require("path");

const [source, list, version, root] = process.argv.slice(2);
const deps = JSON.parse(fs.readFileSync(path.join(source, list)));
const platform = deps.runtimeTarget.name;
const libraries = deps.targets[platform];

const BASE = "Microsoft.NETCore.App";
const WEB = "Microsoft.AspNetCore.App";
const pack = framework => libraries[`runtimepack.${framework}.Runtime.linux-x64/${version}`];

// Parts of a framework that the app has in a later version by a package of its own, and that its pack is without.
const REPLACED = {
    [BASE]: /^System\.(Diagnostics\.DiagnosticSource|Formats\.Asn1|Text\.Json|Threading\.Channels)$/,
    [WEB]: /^(Microsoft\.Extensions\.(?!AI\b|Azure\b).*|System\.Diagnostics\.EventLog)$/,
};

// The files of a framework of one kind, by their names, with what the list says of each.
function files(framework, kind) {
    const replaced = Object.entries(libraries)
        .filter(([library]) => REPLACED[framework].test(library.split("/")[0]))
        .map(([, content]) => content[kind]);
    const all = Object.entries(Object.assign({}, pack(framework)[kind], ...replaced));
    return Object.fromEntries(all.map(([file, facts]) => [path.basename(file), facts]));
}

function write(folder, name, content) {
    fs.writeFileSync(path.join(folder, name), JSON.stringify(content, null, 2));
}

for (const framework of [BASE, WEB]) {
    const folder = path.join(root, "shared", framework, version);
    fs.mkdirSync(folder, { recursive: true });
    const content = { runtime: files(framework, "runtime"), native: files(framework, "native") };
    for (const file of Object.keys({ ...content.runtime, ...content.native })) {
        fs.copyFileSync(path.join(source, file), path.join(folder, file));
    }
    const library = `${framework}.Runtime.linux-x64/${version}`;
    write(folder, `${framework}.deps.json`, {
        runtimeTarget: deps.runtimeTarget,
        compilationOptions: {},
        targets: { [platform.split("/")[0]]: {}, [platform]: { [library]: content } },
        libraries: { [library]: { type: "package", serviceable: true, sha512: "" } },
    });
}
// By this the one is known to stand on the other.
const tfm = `net${version.split(".").slice(0, 2).join(".")}`;
write(path.join(root, "shared", WEB, version), `${WEB}.runtimeconfig.json`, {
    runtimeOptions: { tfm, framework: { name: BASE, version }, rollForward: "LatestPatch" },
});
