/** Finds the user's handler: `dir/file.export.nested` below the task root. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { STREAMING } from './response-stream.mjs';

export async function loadHandler(root, reference) {
  if (reference.includes('..')) throw failure('MalformedHandlerName', `'${reference}' is not a valid handler name.`);
  const match = /^([^.]*)\.(.+)$/.exec(basename(reference));
  if (match === null) throw failure('MalformedHandlerName', 'Bad handler');
  const module = await loadModule(join(root, dirname(reference), match[1]), match[1]);
  const handler = pick(module, match[2].split('.'));
  if (handler === undefined) throw failure('HandlerNotFound', `${reference} is undefined or not exported`);
  if (typeof handler !== 'function') throw failure('HandlerNotFound', `${reference} is not a function`);
  if (handler.length >= 3 && handler[STREAMING] === undefined && runtimeMajor() >= 24) {
    throw failure(
      'CallbackHandlerDeprecated',
      'AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this ' +
        'function to use a supported handler signature to use Node.js 24 or later.',
    );
  }
  return handler;
}

async function loadModule(path, name) {
  const file = ['', '.js', '.mjs', '.cjs'].map((extension) => path + extension).find((candidate) => isFile(candidate));
  if (file === undefined) {
    throw failure('ImportModuleError', `Error: Cannot find module '${name}'\nRequire stack:\n- /var/runtime/index.mjs`);
  }
  try {
    if (file.endsWith('.mjs') || (file.endsWith('.js') && inModulePackage(file))) return await import(pathToFileURL(file).href);
    return createRequire('/var/runtime/index.mjs')(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw failure('UserCodeSyntaxError', `SyntaxError: ${error.message}`, error);
    if (error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND') {
      throw failure('ImportModuleError', `Error: ${error.message}`, error);
    }
    throw error;
  }
}

/** Exports of an ES module, or what a CommonJS module imported as one keeps in `default`. */
function pick(module, path) {
  const walk = (from) => path.reduce((value, key) => value?.[key], from);
  return walk(module) ?? walk(module.default);
}

function inModulePackage(file) {
  for (let dir = dirname(file); ; dir = dirname(dir)) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, 'utf8')).type === 'module';
    if (dir === resolve(dir, '..')) return false;
  }
}

function isFile(path) {
  return existsSync(path) && !path.endsWith('/') && readable(path);
}

function readable(path) {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false; // a directory
  }
}

function runtimeMajor() {
  return Number(/nodejs(\d+)\.x$/.exec(process.env.AWS_EXECUTION_ENV ?? '')?.[1] ?? 0);
}

function failure(type, message, cause) {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  error.name = `Runtime.${type}`;
  if (cause !== undefined) error.stack = `${error.name}: ${message}\n${cause.stack}`;
  return error;
}
