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

        bool IHttpUpgradeFeature.IsUpgradableRequest => true;

        async Task<Stream> IHttpUpgradeFeature.UpgradeAsync()
        {
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

        /// <summary>Only for requests that may: the stock middleware takes the presence of the feature for leave.</summary>
        private void OfferUpgrade(RequestFlags flags)
        {
            if ((flags & RequestFlags.CanUpgrade) == 0 || !_service.Settings.WebSockets)
            {
                return;
            }
            if ((flags & RequestFlags.ExtendedConnect) != 0)
            {
                NewerFeatures.SetExtendedConnect(this, AcceptExtendedConnectAsync);
            }
            else
            {
                Set<IHttpUpgradeFeature>(this);
            }
        }
    }
}
