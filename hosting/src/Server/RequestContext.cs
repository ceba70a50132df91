using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// A request and its response. It is the collection of its own features; one object serves one request after the
    /// other, with all that belongs to it. This part is the life of a request; the others are its features.
    /// </summary>
    internal abstract partial class RequestContext : IThreadPoolWorkItem
    {
        /// <summary>Of HTTP/2, for what the app breaks off without saying why.</summary>
        private const int InternalError = 2;

        private readonly ServiceFacts _service;
        private readonly ReceivedFields _receivedFields = new ReceivedFields();
        private unsafe NativeRequest* _request;
        private Slot _slot = null!;
        private ulong _id;

        protected RequestContext(ServiceFacts service, Sweeper sweeper)
        {
            _service = service;
            Output = new ResponseOutput(this, sweeper);
            _writer = ResponseWriters.Create(Output);
            _responseStream = new ResponseStream(Output, this);
            _reader = new RequestPipeReader(_input);
            _requestStream = new RequestStream(_input, _reader, this);
            _body = _requestStream;
            _features = new object?[FeatureSlots.Count];
            _ownFeatures = new object?[FeatureSlots.Count];
            SetOwnFeatures();
        }

        /// <summary>0 between requests.</summary>
        public ulong Id => Volatile.Read(ref _id);

        public ResponseOutput Output { get; }

        protected ILogger Logger => _service.Logger;

        /// <summary>Only takes note: this runs on native's thread. What it points to lives until the request is complete.</summary>
        public unsafe void Begin(ulong id, NativeRequest* request, Slot slot)
        {
            _request = request;
            _slot = slot;
            _input.Reset(id, (request->Flags & RequestFlags.HasBody) != 0);
            Output.Reset(id);
            // Last: from now on it may be aborted, which breaks both.
            lock (_abortLock)
            {
                _isAborted = false;
                Volatile.Write(ref _id, id);
            }
        }

        public abstract void Execute();

        public void OnReadReady(RequestFlags flags) => LentThread.Signal(_input.Ready, flags);

        public void OnWriteReady(RequestFlags flags)
        {
            Output.Room.HasRoom();
            LentThread.Signal(Output.Room.Ready, flags);
        }

        /// <summary>Ends the response with an error of the server's own making, and not of the app's.</summary>
        public void Fail(Exception exception)
        {
            LogError(exception);
            Abort();
        }

        /// <summary>Reads the head. Throws where it is malformed.</summary>
        protected void Prepare()
        {
            ResetFeatures();
            ResetRequest();
            ResetRouting();
            ResetResponse();
            ReadHead();
        }

        /// <summary>Sends what the app left to send.</summary>
        /// <param name="error">What the app threw.</param>
        /// <returns>What is to be told to the application: the error, or one of ours.</returns>
        protected async ValueTask<Exception?> FinishResponseAsync(Exception? error)
        {
            try
            {
                if (error == null)
                {
                    await CompleteResponseAsync();
                }
            }
            catch (Exception exception)
            {
                error = exception;
            }
            if (error != null)
            {
                Report(error);
                AnswerError(error);
            }
            return error;
        }

        /// <summary>Gives everything back. The last call for a request: native may use its place again at once.</summary>
        protected void Release()
        {
            var id = _id;
            EndLifetime();
            // Whoever still reads or writes would go on with the next request's bytes.
            var isFree = !_isUpgraded && !_input.Ready.IsAwaited && !Output.Room.Ready.IsAwaited;
            if (!isFree)
            {
                _input.Break();
                Output.Room.Break();
            }
            Output.Close();
            _reader.Reset();
            RequestTable.Release(id, _slot, isFree);
            Native.Complete(id);
        }

        private async Task CompleteResponseAsync()
        {
            if (_isUpgraded)
            {
                await Output.WriteThroughAsync(default, BodyFlags.End, default);
                return;
            }
            CheckWholeLength();
            if (!HasStarted)
            {
                await StartAsync(default);
            }
            Output.End(TrailersToSend());
        }

        /// <summary>Nothing sent yet: an answer that says so. Else the client must not take the answer for whole.</summary>
        private void AnswerError(Exception error)
        {
            try
            {
                if (HasStarted)
                {
                    if (!Output.Truncate())
                    {
                        Native.Reset(_id, InternalError);
                    }
                    return;
                }
                Output.Discard();
                ResponseFields.Reset();
                _statusCode = BadRequests.StatusOf(error);
                _reasonPhrase = null;
                _responseTrailers?.Reset();
                BeginResponse();
                Output.End(null);
            }
            catch (Exception exception)
            {
                LogError(exception);
            }
        }

        /// <summary>An error after the client left is most often just that.</summary>
        private void Report(Exception error)
        {
            if (_isAborted || BadRequests.StatusOf(error) != 500)
            {
                Logger.LogDebug(2, error, "Request {TraceIdentifier} ended with an error.", TraceIdentifier);
            }
            else
            {
                LogError(error);
            }
        }

        private void LogError(Exception error) =>
            Logger.LogError(1, error, "Request {TraceIdentifier}: the app threw an exception.", TraceIdentifier);
    }
}
