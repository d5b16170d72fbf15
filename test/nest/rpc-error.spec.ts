import { describe, expect, test } from '@jest/globals';
import { ConflictException, HttpException, Logger, NotFoundException } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { BaseRpcExceptionFilter, RpcException } from '@nestjs/microservices';
import { GridError } from 'nestjs-grid';
import { lastValueFrom } from 'rxjs';
import { codeOfStatus, errorOfFilter, gridErrorOf } from '../../lib/nest/rpc-error.js';

describe('the error that a caller gets of what a handler threw', () => {
  test('a GridError as it is', () => {
    const error = new GridError('NOT_FOUND', 'gone', { details: { key: 1 } });
    expect(gridErrorOf(error)).toBe(error);
  });

  test('but not what it told of another call', () => {
    const error = gridErrorOf(new GridError('UNAVAILABLE', 'x', { notSent: true, remote: true, peer: 'http://b:1' }));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', notSent: false, remote: false });
  });

  test('of it Nest’s own filter leaves nothing', async () => {
    Logger.overrideLogger(false);
    const thrown = new GridError('NOT_FOUND', 'gone');
    const nests = new BaseRpcExceptionFilter().catch(thrown, new ExecutionContextHost([]));
    const given: unknown = await lastValueFrom(nests).catch((error: unknown) => error);
    expect(errorOfFilter(given)).toMatchObject({ code: 'UNKNOWN', message: 'Internal server error' });
    expect(errorOfFilter(thrown)).toBe(thrown);
  });

  test('a denied guard', () => {
    expect(gridErrorOf(new RpcException('Forbidden resource'))).toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  test('an RpcException with the object that Nest’s transports give', () => {
    expect(gridErrorOf(new RpcException('said so'))).toMatchObject({
      code: 'UNKNOWN',
      message: 'said so',
      details: { status: 'error', message: 'said so' },
    });
    const object = { code: 17, message: 'an object' };
    expect(gridErrorOf(new RpcException(object))).toMatchObject({
      code: 'UNKNOWN',
      message: 'an object',
      details: object,
    });
    expect(gridErrorOf(new RpcException({ code: 17 }))).toMatchObject({
      message: 'Rpc Exception',
      details: { code: 17 },
    });
  });

  test.each([
    [undefined, '{"status":"error"}'],
    [null, '{"status":"error","message":null}'],
    [5, '{"status":"error","message":5}'],
    [false, '{"status":"error","message":false}'],
    [() => 5, '{"status":"error"}'],
  ])('an RpcException of %p, which its type forbids, too', (given, details) => {
    const error = gridErrorOf(new RpcException(given as never));
    expect(error).toMatchObject({ code: 'UNKNOWN', message: 'Rpc Exception' });
    expect(JSON.stringify(error.details)).toBe(details);
  });

  test('an HttpException with the fitting code and its response', () => {
    expect(gridErrorOf(new NotFoundException('no such disk'))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'no such disk',
      details: { statusCode: 404, message: 'no such disk', error: 'Not Found' },
    });
    expect(gridErrorOf(new ConflictException())).toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(gridErrorOf(new HttpException('a text', 418))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: 'a text',
    });
  });

  test.each([
    [400, 'INVALID_ARGUMENT'],
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND'],
    [408, 'DEADLINE_EXCEEDED'],
    [409, 'ALREADY_EXISTS'],
    [412, 'FAILED_PRECONDITION'],
    [413, 'OUT_OF_RANGE'],
    [422, 'INVALID_ARGUMENT'],
    [429, 'RESOURCE_EXHAUSTED'],
    [499, 'CANCELLED'],
    [500, 'INTERNAL'],
    [501, 'UNIMPLEMENTED'],
    [503, 'UNAVAILABLE'],
    [504, 'DEADLINE_EXCEEDED'],
    [599, 'INTERNAL'],
  ])('status %i is %s', (status, code) => {
    expect(codeOfStatus(status)).toBe(code);
  });

  test.each([[new Error('the password is 1234')], ['the password is 1234'], [undefined], [{ password: 1234 }]])(
    'anything else is INTERNAL, and only its cause tells what it was: %p',
    (thrown) => {
      expect(gridErrorOf(thrown)).toMatchObject({
        code: 'INTERNAL',
        message: 'Internal server error',
        details: undefined,
      });
      expect(gridErrorOf(thrown).cause).toBe(thrown);
    },
  );
});

describe('the error that a caller gets of what a filter gave out', () => {
  test('an object or a text as it is, by Nest’s custom', () => {
    expect(errorOfFilter({ status: 'conflict', message: 'twice' })).toMatchObject({
      code: 'UNKNOWN',
      message: 'twice',
      details: { status: 'conflict', message: 'twice' },
    });
    expect(errorOfFilter('a text')).toMatchObject({ code: 'UNKNOWN', message: 'a text', details: 'a text' });
  });

  test('an error like one that was thrown', () => {
    expect(errorOfFilter(new NotFoundException())).toMatchObject({ code: 'NOT_FOUND' });
    expect(errorOfFilter(new TypeError('x'))).toMatchObject({ code: 'INTERNAL' });
  });
});
