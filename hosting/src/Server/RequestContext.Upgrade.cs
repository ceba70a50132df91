using System;
using System.IO;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Server
{
    /// <content>Another protocol on the same connection (RFC 9110, 7.8) or stream (RFC 8441).</content>
    internal abstract partial class RequestContext : IHttpUpgradeFeature
    {
        private bool _isUpgraded;
        private bool _isUpgradable;

        bool IHttpUpgradeFeature.IsUpgradableRequest => _isUpgradable;

        async Task<Stream> IHttpUpgradeFeature.UpgradeAsync()
        {
            if (!_isUpgradable)
            {
                throw new InvalidOperationException("The client did not ask for another protocol.");
            }
            ThrowIfStarted(nameof(IHttpUpgradeFeature.UpgradeAsync));
            _statusCode = 101;
            ResponseFields["Connection"] = "Upgrade";
            return await BeginProtocolAsync();
        }

        private async ValueTask<Stream> AcceptExtendedConnectAsync()
        {
            ThrowIfStarted("AcceptAsync");
            _statusCode = 200;
            return await BeginProtocolAsync();
        }

        private async Task<Stream> BeginProtocolAsync()
        {
            await StartAsync(default);
            _isUpgraded = true;
            Output.Upgrade();
            _input.Upgrade();
            if (SendHead(default, BodyFlags.None) < Status.Ok)
            {
                OnGone();
            }
            return new UpgradedStream(_input, Output);
        }

        /// <summary>
        /// Whether this request may. The feature itself is there for all requests, as Kestrel has it: SignalR says by it,
        /// to a request that asks for no upgrade, that its client may come with one.
        /// </summary>
        private void OfferUpgrade(RequestFlags flags)
        {
            var may = (flags & RequestFlags.CanUpgrade) != 0 && _service.Settings.WebSockets;
            var isExtended = (flags & RequestFlags.ExtendedConnect) != 0;
            _isUpgradable = may && !isExtended;
            if (may && isExtended)
            {
                NewerFeatures.SetExtendedConnect(this, AcceptExtendedConnectAsync);
            }
        }
    }
}
