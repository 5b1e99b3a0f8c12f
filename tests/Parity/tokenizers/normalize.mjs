// node normalize.mjs LINES.json OUT.json FORM: the lines in a Unicode normalisation form.
import { readFileSync, writeFileSync } from "node:fs";

const [, , input, output, form] = process.argv;
writeFileSync(output, JSON.stringify(JSON.parse(readFileSync(input, "utf8")).map((line) => line.toWellFormed().normalize(form))));
