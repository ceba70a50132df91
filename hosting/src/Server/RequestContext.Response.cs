using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Http;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Server
{
    /// <content>What the app answers.</content>
    internal abstract partial class RequestContext :
        IHttpResponseFeature, IHttpResponseBodyFeature, IHttpResponseTrailersFeature, IHttpResetFeature
    {
        private readonly ResponsePipeWriter _writer;
        private readonly ResponseStream _responseStream;
        private readonly Stack<KeyValuePair<Func<object, Task>, object>> _onStarting =
            new Stack<KeyValuePair<Func<object, Task>, object>>(0);
        private readonly Stack<KeyValuePair<Func<object, Task>, object>> _onCompleted =
            new Stack<KeyValuePair<Func<object, Task>, object>>(0);
        private FieldList? _responseTrailers;
        private IHeaderDictionary? _trailersOfApp;
        private Stream? _responseStreamOfApp;
        private string? _reasonPhrase;
        private long? _declaredLength;
        private int _statusCode;

        public FieldList ResponseFields { get; } = new FieldList(validates: true);

        /// <summary>The head is fixed, whether or not it is on the wire.</summary>
        public bool HasStarted { get; private set; }

        /// <summary>The answer has a head and nothing else (RFC 9110, 6.4.1).</summary>
        public bool IsBodyless { get; private set; }

        /// <summary>The length after which the body is over; null where trailers may follow, or where it is not known.</summary>
        public long? EndingLength => _version == NativeRequest.Http2 ? null : _declaredLength;

        int IHttpResponseFeature.StatusCode
        {
            get => _statusCode;
            set
            {
                ThrowIfStarted(nameof(IHttpResponseFeature.StatusCode));
                _statusCode = value;
            }
        }

        string IHttpResponseFeature.ReasonPhrase
        {
            get => _reasonPhrase!;
            set
            {
                ThrowIfStarted(nameof(IHttpResponseFeature.ReasonPhrase));
                FieldSyntax.CheckValue("reason phrase", value);
                _reasonPhrase = value;
            }
        }

        IHeaderDictionary IHttpResponseFeature.Headers { get; set; } = null!;

        /// <summary>The older way to the body.</summary>
        Stream IHttpResponseFeature.Body
        {
            get => _responseStreamOfApp ?? _responseStream;
            set => _responseStreamOfApp = value;
        }

        Stream IHttpResponseBodyFeature.Stream => _responseStream;

        PipeWriter IHttpResponseBodyFeature.Writer => _writer;

        IHeaderDictionary IHttpResponseTrailersFeature.Trailers
        {
            get => _trailersOfApp ??= _responseTrailers ??= new FieldList(validates: true);
            set => _trailersOfApp = value;
        }

        void IHttpResponseBodyFeature.DisableBuffering() => Output.StopHolding(_id);

        public void OnStarting(Func<object, Task> callback, object state)
        {
            ThrowIfStarted(nameof(OnStarting));
            _onStarting.Push(new KeyValuePair<Func<object, Task>, object>(callback, state));
        }

        public void OnCompleted(Func<object, Task> callback, object state) =>
            _onCompleted.Push(new KeyValuePair<Func<object, Task>, object>(callback, state));

        /// <summary>Fixes the head. It goes out with the first bytes of the body, or when the app pauses.</summary>
        public Task StartAsync(CancellationToken cancellationToken)
        {
            if (HasStarted)
            {
                return Task.CompletedTask;
            }
            if (cancellationToken.IsCancellationRequested)
            {
                return Task.FromCanceled(cancellationToken);
            }
            if (_onStarting.Count > 0)
            {
                return RunOnStartingAsync();
            }
            BeginResponse();
            return Task.CompletedTask;
        }

        async Task IHttpResponseBodyFeature.CompleteAsync()
        {
            await CompleteResponseAsync();
            _writer.Complete();
        }

        Task IHttpResponseBodyFeature.SendFileAsync(
            string path, long offset, long? count, CancellationToken cancellationToken) =>
            FileSender.SendAsync(_responseStream, path, offset, count, cancellationToken);

        void IHttpResetFeature.Reset(int errorCode) => BreakOff(_id, errorCode);

        /// <summary>The head and the first bytes of the body.</summary>
        public Status SendHead(ReadOnlySpan<byte> body, BodyFlags flags) =>
            HeadWriter.Send(_id, _statusCode, _reasonPhrase, ResponseFields, body, flags);

        public void CheckBodyAllowed(int length)
        {
            if (length > 0 && ((IHttpRequestFeature)this).Method != "HEAD")
            {
                throw new InvalidOperationException($"A response with status {_statusCode} has no body.");
            }
        }

        public void CheckLength(long total)
        {
            if (total > _declaredLength)
            {
                throw new InvalidOperationException(
                    $"Response Content-Length mismatch: too many bytes written ({total} of {_declaredLength}).");
            }
        }

        protected async ValueTask RunOnCompletedAsync()
        {
            while (_onCompleted.TryPop(out var callback))
            {
                try
                {
                    await callback.Key(callback.Value);
                }
                catch (Exception exception)
                {
                    LogError(exception);
                }
            }
        }

        private void ResetResponse()
        {
            ResponseFields.Reset();
            ((IHttpResponseFeature)this).Headers = ResponseFields;
            _onStarting.Clear();
            _onCompleted.Clear();
            _writer.Reset();
            _responseTrailers = null;
            _trailersOfApp = null;
            _responseStreamOfApp = null;
            _reasonPhrase = null;
            _declaredLength = null;
            _statusCode = 200;
            _isUpgraded = false;
            HasStarted = false;
            IsBodyless = false;
            ((IConnectionLifetimeNotificationFeature)this).ConnectionClosedRequested = default;
        }

        private async Task RunOnStartingAsync()
        {
            while (_onStarting.TryPop(out var callback))
            {
                await callback.Key(callback.Value);
            }
            if (!HasStarted)
            {
                BeginResponse();
            }
        }

        private void BeginResponse()
        {
            TakeFieldsOfApp();
            _declaredLength = ResponseFields.ContentLength;
            IsBodyless = ((IHttpRequestFeature)this).Method == "HEAD" ||
                _statusCode == 204 || _statusCode == 205 || _statusCode == 304;
            HasStarted = true;
            ResponseFields.Seal();
        }

        /// <summary>Where middleware put a collection of its own in the place of ours.</summary>
        private void TakeFieldsOfApp()
        {
            var fields = ((IHttpResponseFeature)this).Headers;
            if (!ReferenceEquals(fields, ResponseFields))
            {
                ResponseFields.Reset();
                foreach (var field in fields)
                {
                    ResponseFields[field.Key] = field.Value;
                }
            }
        }

        /// <summary>Those of the app, where it put a collection of its own in the place of ours.</summary>
        private FieldList? TrailersToSend()
        {
            if (_trailersOfApp == null || ReferenceEquals(_trailersOfApp, _responseTrailers))
            {
                return _responseTrailers;
            }
            var trailers = new FieldList(validates: true);
            foreach (var field in _trailersOfApp)
            {
                trailers[field.Key] = field.Value;
            }
            return trailers;
        }

        /// <summary>Fewer bytes than were promised: a client would wait for the rest.</summary>
        private void CheckWholeLength()
        {
            if (HasStarted && !IsBodyless && !_isAborted && Output.Total < _declaredLength)
            {
                ThrowTooFew();
            }
            if (!HasStarted && ((IHttpRequestFeature)this).Method != "HEAD" && Output.Unflushed < ResponseFields.ContentLength &&
                _statusCode != 304 && _statusCode != 204 && _statusCode != 205)
            {
                ThrowTooFew();
            }
        }

        private void ThrowTooFew() => throw new InvalidOperationException(
            $"Response Content-Length mismatch: too few bytes written ({Output.Total} of {ResponseFields.ContentLength}).");

        private void ThrowIfStarted(string what)
        {
            if (HasStarted)
            {
                throw new InvalidOperationException($"{what} can't be set: the response has already started.");
            }
        }
    }
}
