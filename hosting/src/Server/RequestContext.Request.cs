using System;
using System.Globalization;
using System.IO;
using System.IO.Pipelines;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Server
{
    /// <content>What the client asks.</content>
    internal abstract partial class RequestContext :
        IHttpRequestFeature, IRequestBodyPipeFeature, IHttpRequestIdentifierFeature, IHttpBodyControlFeature,
        IHttpMaxRequestBodySizeFeature, IHttpRequestTrailersFeature
    {
        private readonly RequestInput _input = new RequestInput();
        private readonly RequestPipeReader _reader;
        private readonly RequestStream _requestStream;
        private readonly FieldList _requestFields = new FieldList(validates: false);
        private readonly TargetReader _target = new TargetReader();
        private FieldList? _requestTrailers;
        private PipeReader? _otherReader;
        private Stream _body;
        private string? _traceIdentifier;
        private long? _maxRequestBody;
        private bool _allowSynchronousIO;
        private int _version;

        string IHttpRequestFeature.Protocol { get; set; } = "";

        string IHttpRequestFeature.Scheme { get; set; } = "";

        string IHttpRequestFeature.Method { get; set; } = "";

        string IHttpRequestFeature.PathBase { get; set; } = "";

        string IHttpRequestFeature.Path { get; set; } = "";

        string IHttpRequestFeature.QueryString { get; set; } = "";

        string IHttpRequestFeature.RawTarget { get; set; } = "";

        IHeaderDictionary IHttpRequestFeature.Headers { get; set; } = null!;

        Stream IHttpRequestFeature.Body
        {
            get => _body;
            set
            {
                _body = value;
                _otherReader = null;
            }
        }

        /// <summary>Of the body that the app sees, which may be another one by now.</summary>
        PipeReader IRequestBodyPipeFeature.Reader
        {
            get
            {
                if (ReferenceEquals(_body, _requestStream))
                {
                    return _reader;
                }
                if (_otherReader == null)
                {
                    var reader = _otherReader = PipeReader.Create(_body);
                    OnCompleted(_ =>
                    {
                        reader.Complete();
                        return Task.CompletedTask;
                    }, null!);
                }
                return _otherReader;
            }
        }

        public string TraceIdentifier
        {
            get => _traceIdentifier ??=
                Connection.Id + ":" + Connection.NextRequest().ToString("X8", CultureInfo.InvariantCulture);
            set => _traceIdentifier = value;
        }

        bool IHttpBodyControlFeature.AllowSynchronousIO
        {
            get => _allowSynchronousIO;
            set => _allowSynchronousIO = value;
        }

        bool IHttpMaxRequestBodySizeFeature.IsReadOnly => _input.HasBegun || _isUpgraded;

        long? IHttpMaxRequestBodySizeFeature.MaxRequestBodySize
        {
            get => _maxRequestBody;
            set
            {
                if (value < 0)
                {
                    throw new ArgumentOutOfRangeException(nameof(value), value, "A size is not negative.");
                }
                if (_input.HasBegun || _isUpgraded || Native.SetMaxBody(_id, value ?? -1) == Status.Invalid)
                {
                    throw new InvalidOperationException(
                        "The maximum size can't be changed any more: the app has begun to read the body.");
                }
                _maxRequestBody = value;
            }
        }

        bool IHttpRequestTrailersFeature.Available => _input.HasEnded;

        IHeaderDictionary IHttpRequestTrailersFeature.Trailers
        {
            get
            {
                if (!_input.HasEnded)
                {
                    throw new InvalidOperationException("The trailers come after the body: read it to its end first.");
                }
                return _requestTrailers ??= ReadTrailers();
            }
        }

        private void ResetRequest()
        {
            _requestFields.Reset();
            _requestTrailers = null;
            _otherReader = null;
            _body = _requestStream;
            _traceIdentifier = null;
            _maxRequestBody = _service.MaxRequestBody;
            _allowSynchronousIO = _service.AllowSynchronousIO;
        }

        private unsafe void ReadHead()
        {
            ref readonly var native = ref *_request;
            IHttpRequestFeature request = this;
            _version = (int)native.Version;
            ReadConnection(native);
            _receivedFields.AddTo(_requestFields, native.Fields, isHttp2: _version == NativeRequest.Http2);
            request.Headers = _requestFields;
            request.Protocol = KnownTexts.Protocol(_version);
            request.Method = KnownTexts.Method(native.Method.Span);
            request.Scheme = KnownTexts.Scheme(native.Scheme.Span);
            _target.Read(native, _service.Settings.PathBase);
            request.RawTarget = _target.Raw;
            request.PathBase = _target.PathBase;
            request.Path = _target.Path;
            request.QueryString = _target.Query;
            SetHost(native.Authority.Span);
            if (_version == NativeRequest.Http11 && !_requestFields.ContainsKey("Host"))
            {
                // RFC 9112, 3.2.
                throw BadRequests.Malformed("no Host");
            }
            if (_maxRequestBody != _service.Settings.MaxRequestBody)
            {
                Native.SetMaxBody(_id, _maxRequestBody ?? -1);
            }
        }

        /// <summary>The authority of the target wins over the field (RFC 9112, 3.2.2), and HTTP/2 need not have one.</summary>
        private void SetHost(ReadOnlySpan<byte> authority)
        {
            if (!authority.IsEmpty && !Ascii.Spells(authority, _requestFields["Host"].ToString()))
            {
                _requestFields["Host"] = Ascii.Text(authority);
            }
        }

        private FieldList ReadTrailers()
        {
            var trailers = new FieldList(validates: false);
            if (Native.RequestTrailers(_id, out var fields) == Status.Ok)
            {
                foreach (ref readonly var field in fields)
                {
                    trailers.AddReceived(
                        ReceivedFields.Name(field.Name, isHttp2: _version == NativeRequest.Http2), Ascii.Text(field.Value));
                }
            }
            return trailers;
        }
    }
}
