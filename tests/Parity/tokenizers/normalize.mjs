// node normalize.mjs LINES.json OUT.json: the lines in each of the four Unicode normalisation forms.
import { readFileSync, writeFileSync } from "node:fs";

const [, , input, output] = process.argv;
const lines = JSON.parse(readFileSync(input, "utf8"));
writeFileSync(output, JSON.stringify(Object.fromEntries(["NFC", "NFD", "NFKC", "NFKD"].map((form) => [form, lines.map((line) => line.normalize(form))]))));
